package tables

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"
	"strings"

	"github.com/parquet-go/parquet-go"

	"github.com/mllmrec/mllmrec/dataset"
	"github.com/mllmrec/mllmrec/dataset/internal/source"
	"github.com/mllmrec/mllmrec/internal/file/parquetcheck"
	"github.com/mllmrec/mllmrec/internal/usererr"
)

// parquetTable is a Parquet file. Only the pages of mapped columns are read.
type parquetTable struct {
	path   string
	f      *os.File
	size   int64
	sum    string
	file   *parquet.File
	header []string
	leaves []*parquet.Column // by header entry
}

const damaged = "Make or download the file again."

func openParquet(path string) (table, error) {
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, fs.ErrPermission) {
		return nil, usererr.WrapAs(usererr.KindUnknown, err, "Check the path.")
	} else if err != nil {
		return nil, err
	}
	t := &parquetTable{path: path, f: f}
	if err := t.prepare(); err != nil {
		f.Close()
		return nil, err
	}
	return t, nil
}

func (t *parquetTable) prepare() error {
	info, err := t.f.Stat()
	if err != nil {
		return err
	}
	if info.IsDir() {
		return usererr.New("Name one of its files, or write the table as one file: coalesce(1) in Spark, a read and a write in pandas, polars or DuckDB.", "%s is a folder", t.path)
	}
	t.size = info.Size()
	hash := sha256.New()
	if _, err := io.Copy(hash, t.f); err != nil {
		return fmt.Errorf("reading %s: %w", t.path, err)
	}
	t.sum = hex.EncodeToString(hash.Sum(nil))
	if t.file, err = parquetcheck.Open(t.f, t.size); err != nil {
		return t.refuse(err)
	}
	for _, top := range t.file.Root().Columns() {
		t.addLeaves(top)
	}
	return checkNames(t.path, t.header)
}

// refuse names the file in an error of the check. What is said to be the user's to mend is
// no damage.
func (t *parquetTable) refuse(err error) error {
	if hint, user := usererr.Hint(err); user {
		return usererr.Wrap(fmt.Errorf("%s: %w", t.path, err), hint)
	}
	head := make([]byte, 4)
	if n, _ := t.f.ReadAt(head, 0); n == len(head) && string(head) != "PAR1" && !slices.ContainsFunc(head, func(c byte) bool { return c < 0x20 || c >= 0x7f }) {
		return usererr.New(fmt.Sprintf("Name the format that the text has: %s or %s.", usererr.Option("interactions-format"), usererr.Option("items-format")), "%s: %w", t.path, err)
	}
	return usererr.WrapAs(usererr.KindDamaged, fmt.Errorf("%s: %w", t.path, err), damaged)
}

// addLeaves names a top-level column's leaves: a single one (a plain column, a list)
// by the column, the members of a group by column.member. What only makes a list a list
// has no part in the name.
func (t *parquetTable) addLeaves(top *parquet.Column) {
	leaves := leavesOf(top)
	for _, leaf := range leaves {
		name := top.Name()
		if len(leaves) > 1 {
			name = nameBelow(top, leaf)
		}
		t.header = append(t.header, name)
		t.leaves = append(t.leaves, leaf)
	}
}

// plumbing are names of the nodes that lists and maps are made of.
var plumbing = []string{"list", "element", "item", "bag", "array", "array_element", "key_value", "map"}

func nameBelow(top, leaf *parquet.Column) string {
	name, c := top.Name(), top
	for _, part := range leaf.Path()[1:] {
		only := len(c.Columns()) == 1
		if c = c.Column(part); c == nil {
			return strings.Join(leaf.Path(), ".")
		}
		if !only || !slices.Contains(plumbing, part) {
			name += "." + part
		}
	}
	return name
}

func leavesOf(c *parquet.Column) []*parquet.Column {
	if c.Leaf() {
		return []*parquet.Column{c}
	}
	var all []*parquet.Column
	for _, child := range c.Columns() {
		all = append(all, leavesOf(child)...)
	}
	return all
}

func (t *parquetTable) columns() []string { return t.header }

func (t *parquetTable) each(ctx context.Context, pass *source.Pass, names []string, row func([]cell) error) error {
	leaves := make([]*parquet.Column, len(names))
	var read []int
	for i, n := range names {
		if n == "" {
			continue
		}
		leaves[i] = t.leaves[slices.Index(t.header, n)]
		if why := unreadable(leaves[i]); why != "" {
			return usererr.New("Write it as text, number, date, timestamp or a list of such; a member of a group is named as group.member.", "%s: column %q %s", t.path, n, why)
		}
		read = append(read, leaves[i].Index())
	}
	if err := parquetcheck.Columns(t.file, t.f, t.size, read...); err != nil {
		return t.refuse(err)
	}
	done := 0
	for g, group := range parquetcheck.RowGroups(t.file) {
		n, err := t.group(ctx, pass, group, leaves, done, row)
		if err != nil {
			if _, user := usererr.Hint(err); user || ctx.Err() != nil {
				return err
			}
			return usererr.WrapAs(usererr.KindDamaged, fmt.Errorf("%s: row group %d cannot be read: %w", t.path, g, err),
				damaged+" Where other tools read it, write it again with one of them: pyarrow, DuckDB, polars.")
		}
		done += n
	}
	return nil
}

// group hands over the rows of one row group, of which done came before.
func (t *parquetTable) group(ctx context.Context, pass *source.Pass, group parquet.RowGroup, leaves []*parquet.Column, done int, row func([]cell) error) (n int, err error) {
	defer parquetcheck.Recover(&err)
	chunks := group.ColumnChunks()
	readers := make([]*columnReader, len(leaves))
	for i, leaf := range leaves {
		if leaf != nil {
			readers[i] = newColumnReader(chunks[leaf.Index()], leaf)
			defer readers[i].pages.Close()
		}
	}
	out := make([]cell, len(leaves))
	for n = 0; int64(n) < group.NumRows(); n++ {
		if n%1024 == 0 && ctx.Err() != nil {
			return n, fmt.Errorf("reading %s: %w", t.path, context.Cause(ctx))
		}
		for i, r := range readers {
			out[i] = cell{}
			if r != nil {
				if out[i], err = r.next(); err != nil {
					return n, fmt.Errorf("row %d, column %q: %w", done+n+1, leaves[i].Name(), err)
				}
			}
		}
		if err := pass.Row(done+n+1, row(out)); err != nil {
			return n, err
		}
	}
	return n, nil
}

func (t *parquetTable) report(pass *source.Pass, _ *dataset.Report) dataset.FileReport {
	return pass.ReportOf(dataset.FileReport{Path: t.path, Format: "Parquet", Bytes: t.size, SHA256: t.sum})
}

func (t *parquetTable) close() error { return t.f.Close() }

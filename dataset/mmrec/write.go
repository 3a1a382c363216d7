package mmrec

import (
	"bufio"
	"fmt"
	"io"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/mllmrec/mllmrec/dataset"
	"github.com/mllmrec/mllmrec/internal/file/atomicfile"
	"github.com/mllmrec/mllmrec/internal/labelled"
	"github.com/mllmrec/mllmrec/internal/usererr"
)

// The names of the id maps MMRec keeps beside an .inter file.
const (
	UserMapFile = "u_id_mapping.csv"
	ItemMapFile = "i_id_mapping.csv"
)

// Write exports ds for the Python tools: <name>.inter with dense ids (the rows of ds),
// and u_id_mapping.csv and i_id_mapping.csv (tab-separated, as MMRec writes them) that
// lead back to the source's own ids. Each file appears whole or not at all. A data set without a
// split, and a name that is no plain file name, are the user's to mend.
func Write(dir, name string, ds *dataset.Dataset) error {
	if name == "" || name != filepath.Base(name) || strings.HasPrefix(name, ".") {
		return usererr.New("Use a plain name such as baby.", "%q is no name for a data set's file", name)
	}
	if err := dataset.CheckSplit(ds); err != nil {
		return fmt.Errorf("export to MMRec: %w", err)
	}
	items := make([]string, ds.NumItems())
	for i, it := range ds.Items {
		items[i] = it.ID
	}
	if err := writeMap(filepath.Join(dir, UserMapFile), "user_id", "userID", ds.UserIDs); err != nil {
		return err
	}
	if err := writeMap(filepath.Join(dir, ItemMapFile), "asin", "itemID", items); err != nil {
		return err
	}
	return atomicfile.Write(filepath.Join(dir, name+".inter"), func(w io.Writer) error {
		b := bufio.NewWriterSize(w, 1<<16)
		b.WriteString("userID\titemID\trating\ttimestamp\tx_label\n")
		var line []byte
		for _, x := range labelled.Rows[dataset.Interaction](ds) {
			line = strconv.AppendInt(line[:0], int64(x.User), 10)
			line = strconv.AppendInt(append(line, '\t'), int64(x.Item), 10)
			line = appendFloat(append(line, '\t'), x.Rating)
			line = strconv.AppendInt(append(line, '\t'), x.Time, 10)
			line = strconv.AppendInt(append(line, '\t'), int64(x.Label), 10)
			b.Write(append(line, '\n'))
		}
		return b.Flush()
	})
}

// appendFloat writes a rating as pandas does: always with a decimal point.
func appendFloat(dst []byte, v float32) []byte {
	n := len(dst)
	dst = strconv.AppendFloat(dst, float64(v), 'f', -1, 32)
	if !strings.Contains(string(dst[n:]), ".") {
		dst = append(dst, ".0"...)
	}
	return dst
}

func writeMap(path, idName, rowName string, ids []string) error {
	return atomicfile.Write(path, func(w io.Writer) error {
		b := bufio.NewWriterSize(w, 1<<16)
		fmt.Fprintf(b, "%s\t%s\n", idName, rowName)
		for row, id := range ids {
			if strings.ContainsAny(id, "\t\n\r\"") {
				id = `"` + strings.ReplaceAll(id, `"`, `""`) + `"`
			}
			b.WriteString(id)
			b.WriteByte('\t')
			b.WriteString(strconv.Itoa(row))
			b.WriteByte('\n')
		}
		return b.Flush()
	})
}

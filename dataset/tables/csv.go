package tables

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/mllmrec/mllmrec/dataset"
	"github.com/mllmrec/mllmrec/dataset/internal/source"
	"github.com/mllmrec/mllmrec/internal/usererr"
)

// csvTable is a CSV or TSV file.
type csvTable struct {
	path   string
	f      *source.File
	in     *source.CSV
	header []string
	first  [][]byte // the first record, when it is no header
	comma  byte
	sure   bool // the user says that quotes are such
}

// separators are those that are looked for.
var separators = []byte{',', ';', '\t', '|'}

var separatorNames = map[string]byte{"tab": '\t', `\t`: '\t', "comma": ',', "semicolon": ';', "pipe": '|', "space": ' '}

var quotes = map[string]source.Quote{"": source.QuoteAuto, "auto": source.QuoteAuto, "double": source.QuoteDouble, "none": source.QuoteNone}

func openCSV(path string, opt *Options, format Format, e source.Encoding, need []string) (table, error) {
	quote, ok := quotes[opt.Quote]
	if !ok {
		return nil, usererr.New("Say auto, double or none.", "%s: %q is no way of quoting", usererr.Option("quote"), opt.Quote)
	}
	f, err := source.Open(path, e)
	if err != nil {
		return nil, err
	}
	t := &csvTable{path: path, f: f}
	if t.comma, err = separator(opt, format, f, need); err == nil {
		t.in = source.NewCSV(f, t.comma, quote)
		t.in.Advice = ", or read the file with quote none"
		t.sure = quote == source.QuoteDouble
		err = t.readHeader(opt.NoHeader)
	}
	if err != nil {
		f.Close()
		return nil, err
	}
	return t, nil
}

func (t *csvTable) readHeader(noHeader bool) error {
	cells, err := t.in.Header(t.path)
	if err == nil && saysSeparator(cells, t.comma) {
		t.in.Width = 0
		cells, err = t.in.Header(t.path)
	}
	for i, c := range cells {
		name := strings.TrimSpace(string(c))
		if noHeader {
			name = strconv.Itoa(i + 1)
			t.first = append(t.first, slices.Clone(c))
		}
		t.header = append(t.header, name)
	}
	if err != nil {
		return err
	}
	return checkNames(t.path, t.header)
}

// separator returns what stands between fields: what the user says; what a first line
// "sep=;" says, as spreadsheets write it; in a CSV file what makes the columns that are
// needed, else what the first line has most of.
func separator(opt *Options, format Format, f *source.File, need []string) (byte, error) {
	if s := opt.Separator; s != "" {
		if c, ok := separatorNames[strings.ToLower(s)]; ok {
			return c, nil
		}
		if len(s) != 1 || s[0] >= 0x80 || strings.ContainsAny(s, "\"\r\n") {
			return 0, usererr.New("Give one character, or tab, comma, semicolon, pipe, space; where several characters separate fields, replace them first: sed 's/::/\\t/g'.", "%s: %q cannot separate fields", usererr.Option("separator"), s)
		}
		return s[0], nil
	}
	line := f.PeekLine()
	if rest, ok := bytes.CutPrefix(bytes.Trim(line, "\""), []byte("sep=")); ok && len(rest) == 1 {
		return rest[0], nil
	}
	if format == TSV {
		return '\t', nil
	}
	best, most := byte(','), 0
	for _, c := range separators {
		fields := strings.Split(string(line), string(c))
		for i, name := range fields {
			fields[i] = strings.Trim(strings.TrimSpace(name), `"`)
		}
		if !opt.NoHeader && !slices.ContainsFunc(need, func(n string) bool { return !slices.Contains(fields, n) }) {
			return c, nil
		}
		if len(fields)-1 > most {
			best, most = c, len(fields)-1
		}
	}
	return best, nil
}

// saysSeparator reports whether a first line is not the header, but names the separator.
func saysSeparator(cells [][]byte, comma byte) bool {
	return len(cells) == 2 && len(cells[1]) == 0 && string(cells[0]) == "sep=" || len(cells) == 1 && string(cells[0]) == "sep="+string(comma)
}

func (t *csvTable) columns() []string { return t.header }

func (t *csvTable) each(ctx context.Context, pass *source.Pass, names []string, row func([]cell) error) error {
	at := make([]int, len(names))
	for i, n := range names {
		at[i] = -1
		if n != "" {
			at[i] = slices.Index(t.header, n)
		}
	}
	out := make([]cell, len(names))
	take := func(cells [][]byte) error {
		if len(cells) != len(t.header) {
			return source.Bad(0, "%d fields where the first line has %d", len(cells), len(t.header))
		}
		for i, a := range at {
			out[i] = cell{}
			if a >= 0 {
				out[i] = cell{text: cells[a], kind: single, at: t.in.Column(a)}
			}
		}
		return row(out)
	}
	if t.first != nil {
		if err := pass.Row(t.in.Line(), take(t.first)); err != nil {
			return err
		}
	}
	return source.EachRecord(ctx, pass, t.in, take)
}

func (t *csvTable) report(pass *source.Pass, rep *dataset.Report) dataset.FileReport {
	if t.in.Literal > 0 {
		rep.Note("%s: quotation marks in %s were read as part of the text, as in a file without quoting; to have them read as quotes, say double for the quoting",
			t.path, rows(t.in.Literal))
	}
	if t.in.Doubtful > 0 && !t.sure {
		rep.Note("%s: in %s a quoted field spans lines that could be rows of their own; where they are, say none for the quoting", t.path, rows(t.in.Doubtful))
	}
	switch t.comma {
	case ',':
		return pass.Report(t.f, "CSV")
	case '\t':
		return pass.Report(t.f, "TSV")
	}
	return pass.Report(t.f, fmt.Sprintf("CSV separated by %q", t.comma))
}

func rows(n int) string {
	if n == 1 {
		return "1 row"
	}
	return fmt.Sprintf("%d rows", n)
}

func (t *csvTable) close() error { return t.f.Close() }

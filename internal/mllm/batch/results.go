package batch

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/mllmrec/mllmrec/internal/file/plainfile"
	"github.com/mllmrec/mllmrec/internal/file/sniff"
	"github.com/mllmrec/mllmrec/internal/mllm"
	"github.com/mllmrec/mllmrec/internal/mllm/openai"
	"github.com/mllmrec/mllmrec/internal/secret"
	"github.com/mllmrec/mllmrec/internal/usererr"
)

// maxLine bounds one line of a results file, in bytes. An answer has a few thousand.
const maxLine = 16 << 20

// Result is one line of a results file.
type Result struct {
	CustomID string
	Line     int
	Response mllm.Response
	Err      error // *mllm.Error if the request failed; Response then holds what is known
}

// Report counts the results in all files read with one Importer.
type Report struct {
	Lines      int
	Answers    int
	Errors     map[mllm.Class]int
	Unknown    []string // ids that were never exported, the first hundred
	Duplicates []string // ids that came before, the first hundred
	UnknownN   int
	DuplicateN int
	BadLines   []LineError // skipped by OnBadLine
}

// LineError is a line that cannot be read. It is an error of the user, who can give the right
// or complete file.
type LineError struct {
	File string
	Line int
	Err  error
}

// Error names file and line.
func (e *LineError) Error() string { return fmt.Sprintf("%s:%d: %v", e.File, e.Line, e.Err) }

// Unwrap returns the cause.
func (e *LineError) Unwrap() error { return e.Err }

// Importer reads files of results, in any order and any number of parts. It keeps no record
// of earlier imports: only Known decides which results are passed to Each.
type Importer struct {
	// Known reports whether the id was exported; nil accepts every id.
	Known func(customID string) bool
	// Each is called for every result with a known id, once for each id.
	Each func(Result) error
	// OnBadLine is called for a line that cannot be read. If it returns nil the line is
	// skipped, else the import ends. Without OnBadLine the import ends.
	OnBadLine func(*LineError) error

	seen   map[string]bool
	report Report
}

// Report returns the counts so far.
func (im *Importer) Report() Report { return im.report }

// File imports one file.
func (im *Importer) File(path string) error {
	f, err := plainfile.Open(path)
	if err != nil {
		return usererr.Wrap(fmt.Errorf("open the batch results: %w", err), "Give the result files that the batch service wrote.")
	}
	defer f.Close()
	return im.Read(f, path)
}

// Read imports from r; name is for messages.
func (im *Importer) Read(r io.Reader, name string) error {
	if im.seen == nil {
		im.seen = map[string]bool{}
		im.report.Errors = map[mllm.Class]int{}
	}
	br := bufio.NewReaderSize(r, 1<<20)
	if err := checkStart(br, name); err != nil {
		return err
	}
	for n := 1; ; n++ {
		text, whole, err := readLine(br)
		text = bytes.TrimPrefix(text, mark) // also of a file that was appended to another
		if err != nil && !errors.Is(err, errLong) {
			if errors.Is(err, io.EOF) {
				return nil
			}
			return fmt.Errorf("read %s line %d: %w", name, n, err)
		}
		if err == nil && len(bytes.TrimSpace(text)) == 0 {
			continue
		}
		im.report.Lines++
		var res Result
		if err == nil {
			res, err = parse(text)
		}
		if err != nil {
			if !whole {
				err = fmt.Errorf("the file ends in the middle of a line: %w", err)
			}
			bad := &LineError{File: name, Line: n, Err: err}
			if im.OnBadLine != nil {
				if err := im.OnBadLine(bad); err != nil {
					return err
				}
				im.report.BadLines = append(im.report.BadLines, *bad)
				continue
			}
			return usererr.Wrap(bad, "Download the file again, or skip lines that cannot be read.")
		}
		res.Line = n
		if err := im.take(res); err != nil {
			return fmt.Errorf("%s:%d: %w", name, n, err)
		}
	}
}

func (im *Importer) take(res Result) error {
	const listed = 100
	note := func(list *[]string, n *int) {
		if *n++; len(*list) < listed {
			*list = append(*list, res.CustomID)
		}
	}
	switch {
	case im.Known != nil && !im.Known(res.CustomID):
		note(&im.report.Unknown, &im.report.UnknownN)
		return nil
	case im.seen[res.CustomID]:
		note(&im.report.Duplicates, &im.report.DuplicateN)
		return nil
	}
	im.seen[res.CustomID] = true
	if res.Err != nil {
		im.report.Errors[mllm.ClassOf(res.Err)]++
	} else {
		im.report.Answers++
	}
	if im.Each == nil {
		return nil
	}
	return im.Each(res)
}

var mark = []byte("\ufeff")

// checkStart refuses a file that is none of results.
func checkStart(br *bufio.Reader, name string) error {
	start, _ := br.Peek(sniff.Length) // an error comes again when it is read
	if found, ok := sniff.Kind(start); ok {
		return usererr.New(found.Cure, "%s is %s", name, found.What)
	}
	encoding, _ := sniff.Mark(start)
	if unmarked, ok := sniff.Unmarked16(start); ok {
		encoding = unmarked
	}
	if encoding != sniff.Unmarked && encoding != sniff.UTF8 {
		return usererr.New("Save the file as UTF-8, as the service wrote it; PowerShell writes UTF-16 where > is used: let curl write the file with -o.", "%s is text in %s", name, encoding)
	}
	return nil
}

var errLong = fmt.Errorf("the line has more than %d bytes", maxLine)

// readLine returns the next line and whether it was ended by a line break. A line that
// is too long is read to its end but not kept.
func readLine(br *bufio.Reader) (text []byte, whole bool, err error) {
	long := false
	for {
		part, err := br.ReadSlice('\n')
		if long = long || len(text)+len(part) > maxLine; !long {
			text = append(text, part...)
		}
		switch {
		case err == nil:
			whole = true
		case errors.Is(err, bufio.ErrBufferFull):
			continue
		case errors.Is(err, io.EOF):
			if len(text) == 0 && !long {
				return nil, false, io.EOF
			}
		default:
			return nil, false, err
		}
		if long {
			return nil, whole, errLong
		}
		return text, whole, nil
	}
}

type resultLine struct {
	CustomID string `json:"custom_id"`
	Response *struct {
		StatusCode int             `json:"status_code"`
		Body       json.RawMessage `json:"body"`
	} `json:"response"`
	Error *struct {
		Code    any    `json:"code"`
		Message string `json:"message"`
	} `json:"error"`
}

// parse reads one line: an answer, a failed request, or an expired or cancelled one.
func parse(text []byte) (Result, error) {
	var in resultLine
	if err := json.Unmarshal(text, &in); err != nil {
		return Result{}, err
	}
	secret.Clean(&in)
	if in.CustomID == "" {
		return Result{}, errors.New("there is no custom_id")
	}
	res := Result{CustomID: in.CustomID}
	switch {
	case in.Response != nil && (in.Response.StatusCode == 200 || in.Response.StatusCode == 0 && in.Error == nil):
		res.Response, res.Err = openai.ParseCompletion(in.Response.Body)
		res.Response.Endpoint, res.Response.Attempts = "batch", 1
		if e := (*mllm.Error)(nil); errors.As(res.Err, &e) {
			e.Endpoint = "batch"
		}
	case in.Response != nil:
		res.Err = openai.StatusError(in.Response.StatusCode, in.Response.Body)
	case in.Error != nil:
		class := mllm.Server
		code := strings.ToLower(fmt.Sprint(in.Error.Code))
		if strings.Contains(code, "cancel") {
			class = mllm.Cancelled
		}
		res.Err = &mllm.Error{Class: class, Endpoint: "batch", Err: fmt.Errorf("%s (%v)", in.Error.Message, in.Error.Code)}
	default:
		return Result{}, errors.New("there is neither a response nor an error")
	}
	return res, nil
}

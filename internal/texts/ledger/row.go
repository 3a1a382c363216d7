package ledger

import (
	"database/sql/driver"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/mllmrec/mllmrec/internal/texts"
)

// columns are the columns of table answers, in the order in which generation reads them.
const columns = `key, origin, subject, fold, params, image_hash, sources, prompt_tokens, answer_tokens, seconds,
	attempt, created, error, text`

const numColumns = 14

// values returns the values of columns for g.
func values(g *texts.Generation, origin int64) [numColumns]driver.Value {
	return [numColumns]driver.Value{g.Key, origin, g.Subject, int64(g.Fold), g.Params, g.ImageHash, writeSources(g.Sources),
		int64(g.PromptTokens), int64(g.AnswerTokens), g.Seconds, int64(g.Attempt), g.Created.UnixMicro(), g.Error, g.Text}
}

// generation makes a generation of the columns of a row, without the fields of its origin,
// whose id it returns. It uses no reflection and copies no text, because a resumed run
// reads up to a million rows.
func generation(row []driver.Value) (g texts.Generation, origin int64, err error) {
	r := rowReader{row: row}
	g.Key, origin, g.Subject, g.Fold = r.text(), r.number(), r.text(), int(r.number())
	g.Params, g.ImageHash = r.text(), r.text()
	sources := r.text()
	g.PromptTokens, g.AnswerTokens, g.Seconds = int(r.number()), int(r.number()), r.real()
	g.Attempt = int(r.number())
	g.Created = time.UnixMicro(r.number()).UTC()
	g.Error, g.Text = r.text(), r.text()
	if r.err == nil {
		g.Sources, r.err = readSources(sources)
	}
	if r.err != nil {
		return g, 0, fmt.Errorf("generation %s: %w", g.Key, r.err)
	}
	return g, origin, nil
}

// briefColumns are the columns that a status needs, in the order in which answerStatus reads
// them.
const briefColumns = "key, origin, prompt_tokens, answer_tokens, seconds, attempt"

const numBriefColumns = 6

// answerStatus makes a status of the brief columns of a row, without the fields of its
// origin, whose id it returns.
func answerStatus(row []driver.Value) (key string, s texts.AnswerStatus, origin int64, err error) {
	r := rowReader{row: row}
	key, origin = r.text(), r.number()
	s.PromptTokens, s.AnswerTokens, s.Seconds, s.Attempt = int(r.number()), int(r.number()), r.real(), int(r.number())
	if r.err != nil {
		return key, s, 0, fmt.Errorf("generation %s: %w", key, r.err)
	}
	return key, s, origin, nil
}

// keyHash is the 64-bit FNV-1a hash that keys are indexed by. It is part of the file format.
func keyHash(key string) int64 {
	h := uint64(14695981039346656037)
	for i := range len(key) {
		h = (h ^ uint64(key[i])) * 1099511628211
	}
	return int64(h)
}

// rowReader reads the values of a row one after the other, and keeps the first error.
type rowReader struct {
	row []driver.Value
	at  int
	err error
}

func (r *rowReader) next() driver.Value {
	v := r.row[r.at]
	r.at++
	return v
}

func (r *rowReader) unexpected(v driver.Value) {
	if r.err == nil {
		r.err = fmt.Errorf("column %d holds a %T", r.at, v)
	}
}

func (r *rowReader) text() string {
	v := r.next()
	s, ok := v.(string)
	if !ok {
		r.unexpected(v)
	}
	return s
}

func (r *rowReader) number() int64 {
	v := r.next()
	n, ok := v.(int64)
	if !ok {
		r.unexpected(v)
	}
	return n
}

func (r *rowReader) real() float64 {
	v := r.next()
	f, ok := v.(float64)
	if !ok {
		r.unexpected(v)
	}
	return f
}

// writeSources writes ids as a JSON array.
func writeSources(ids []int32) string {
	b := make([]byte, 0, 2+11*len(ids))
	b = append(b, '[')
	for i, id := range ids {
		if i > 0 {
			b = append(b, ',')
		}
		b = strconv.AppendInt(b, int64(id), 10)
	}
	return string(append(b, ']'))
}

// readSources reads what writeSources wrote, and no other JSON.
func readSources(s string) ([]int32, error) {
	if len(s) < 2 || s[0] != '[' || s[len(s)-1] != ']' {
		return nil, fmt.Errorf("sources are no array: %.40q", s)
	}
	list := s[1 : len(s)-1]
	if list == "" {
		return []int32{}, nil
	}
	ids := make([]int32, 0, 1+strings.Count(list, ","))
	for rest, more := list, true; more; {
		var word string
		word, rest, more = strings.Cut(rest, ",")
		id, ok := readID(word)
		if !ok {
			return nil, fmt.Errorf("sources hold %.20q", word)
		}
		ids = append(ids, id)
	}
	return ids, nil
}

// readID reads a decimal number.
func readID(word string) (id int32, ok bool) {
	digits := strings.TrimPrefix(word, "-")
	if digits == "" || len(digits) > 10 {
		return 0, false
	}
	var n int64
	for i := range len(digits) {
		d := digits[i] - '0'
		if d > 9 {
			return 0, false
		}
		n = 10*n + int64(d)
	}
	if len(digits) < len(word) {
		n = -n
	}
	return int32(n), n == int64(int32(n))
}

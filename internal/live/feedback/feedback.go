package feedback

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"

	"github.com/mllmrec/mllmrec/internal/live"
	"github.com/mllmrec/mllmrec/internal/usererr"
)

// Exported says what was written.
type Exported struct {
	Events int   `json:"events"`
	Last   int64 `json:"last"` // the number of the last event; where there was none, the number after which was asked
}

// Export writes the events after a sequence number, one JSON object a line, in order.
func Export(ctx context.Context, s *live.Store, after int64, w io.Writer) (Exported, error) {
	done := Exported{Last: after}
	err := s.EachEvent(ctx, after, func(e live.Event) error {
		done.Events, done.Last = done.Events+1, e.Seq
		return encode(w, e)
	})
	return done, err
}

// Imported says what became of the lines of a file.
type Imported struct {
	Stored int `json:"stored"`
	Known  int `json:"known"` // were there already
}

const (
	maxLine = 1 << 20
	batch   = 1000
)

// Import stores the events of a file, in its order. The file is read twice: a line that is wrong is
// found before anything is stored. An event without a key gets one made of its line, so that the
// same file is taken in once however often it is imported.
func Import(ctx context.Context, s *live.Store, name string, file io.ReadSeeker) (Imported, error) {
	if err := each(name, file, func(live.Event, int) error { return ctx.Err() }); err != nil {
		return Imported{}, err
	}
	if _, err := file.Seek(0, io.SeekStart); err != nil {
		return Imported{}, fmt.Errorf("read %s again: %w", name, err)
	}
	var done Imported
	var events []live.Event
	first := 0
	store := func() error {
		receipts, err := s.RestoreEvents(ctx, events)
		if err != nil {
			return fmt.Errorf("import %s, from line %d on: %w", name, first, err)
		}
		for _, r := range receipts {
			if r.Again {
				done.Known++
			} else {
				done.Stored++
			}
		}
		events = events[:0]
		return nil
	}
	err := each(name, file, func(e live.Event, at int) error {
		if len(events) == 0 {
			first = at
		}
		if events = append(events, e); len(events) < batch {
			return nil
		}
		return store()
	})
	if err == nil {
		err = store()
	}
	return done, err
}

// each calls fn with the event of each line that is not blank, and its number.
func each(name string, r io.Reader, fn func(e live.Event, at int) error) error {
	lines := bufio.NewScanner(r)
	lines.Buffer(make([]byte, 64<<10), maxLine)
	copies := map[[sha256.Size]byte]int{} // of lines without a key
	at := 0
	for lines.Scan() {
		at++
		raw := lines.Bytes()
		if at == 1 {
			raw = bytes.TrimPrefix(raw, []byte("\ufeff"))
		}
		if raw = bytes.TrimSpace(raw); len(raw) == 0 {
			continue
		}
		e, err := decode(raw)
		if err != nil {
			return usererr.Wrap(fmt.Errorf("read %s: line %d: %w", name, at, err), "Correct the line: nothing was stored.")
		}
		if e.Key == "" {
			sum := sha256.Sum256(raw)
			copies[sum]++
			e.Key = fmt.Sprintf("line-%s-%d", hex.EncodeToString(sum[:]), copies[sum])
		}
		if err := fn(e, at); err != nil {
			return err
		}
	}
	if err := lines.Err(); errors.Is(err, bufio.ErrTooLong) {
		return usererr.New("Write one event a line.", "read %s: line %d is longer than %d bytes", name, at+1, maxLine)
	} else if err != nil {
		return fmt.Errorf("read %s: %w", name, err)
	}
	return nil
}

package cli

import (
	"fmt"
	"io"
	"strings"
	"time"

	"golang.org/x/term"

	"github.com/mllmrec/mllmrec/internal/stage"
	"github.com/mllmrec/mllmrec/internal/usererr"
)

// progress prints what happens: one rewritten line on a terminal, plain lines at most
// every few seconds elsewhere.
type progress struct {
	w        io.Writer
	terminal bool
	last     time.Time
	open     bool // an unfinished line is on the terminal
}

const plainEvery = 5 * time.Second

// described is an output with a descriptor: a file, perhaps a terminal.
type described interface{ Fd() uintptr }

// observer returns the sink of progress for this call: none under --quiet.
func (a *app) observer() stage.Observer {
	if a.quiet {
		return nil
	}
	p := &progress{w: a.stderr}
	if f, ok := a.stderr.(described); ok {
		p.terminal = term.IsTerminal(int(f.Fd()))
	}
	return p.observe
}

func (p *progress) observe(e stage.Event) {
	line := printable(eventLine(e))
	switch {
	case e.End:
		p.clear()
		fmt.Fprintln(p.w, line)
	case p.terminal:
		p.clear()
		fmt.Fprint(p.w, line)
		p.open = true
	case time.Since(p.last) >= plainEvery:
		p.last = time.Now()
		fmt.Fprintln(p.w, line)
	}
}

// eventLine formats an event as one line.
func eventLine(e stage.Event) string {
	s := fmt.Sprintf("%-9s", e.Stage)
	if e.Total > 0 && !e.End {
		s += fmt.Sprintf("%d/%d ", e.Done, e.Total)
	}
	s += e.Message
	if eta := e.ETA(); eta > 0 && !e.End {
		s += fmt.Sprintf(" · %s left", eta.Round(time.Second))
	}
	if e.End && e.Elapsed >= 10*time.Millisecond {
		s += fmt.Sprintf(" · %s", e.Elapsed.Round(10*time.Millisecond))
	}
	return usererr.SpellText(s, flagName)
}

func (p *progress) clear() {
	if p.open {
		fmt.Fprint(p.w, "\r"+strings.Repeat(" ", 100)+"\r")
		p.open = false
	}
}

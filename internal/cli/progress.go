package cli

import (
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"golang.org/x/term"

	"github.com/mllmrec/mllmrec/internal/pipeline"
)

// progress prints pipeline events: one rewritten line on a terminal, plain lines at
// most every few seconds elsewhere.
type progress struct {
	w        io.Writer
	terminal bool
	last     time.Time
	open     bool // an unfinished line is on the terminal
}

const plainEvery = 5 * time.Second

// observer returns the sink of progress for this call: none under --quiet.
func (a *app) observer() pipeline.Observer {
	if a.quiet {
		return nil
	}
	p := &progress{w: a.stderr}
	if f, ok := a.stderr.(*os.File); ok {
		p.terminal = term.IsTerminal(int(f.Fd()))
	}
	return p.observe
}

func (p *progress) observe(e pipeline.Event) {
	line := printable(e.String())
	switch {
	case e.Final():
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

func (p *progress) clear() {
	if p.open {
		fmt.Fprint(p.w, "\r"+strings.Repeat(" ", 100)+"\r")
		p.open = false
	}
}

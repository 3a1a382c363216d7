package asking

import (
	"fmt"
	"strings"
	"time"

	"github.com/mllmrec/mllmrec/internal/stage"
	"github.com/mllmrec/mllmrec/internal/texts"
	"github.com/mllmrec/mllmrec/internal/texts/backend"
)

// reporter turns the progress of a stage that asks into events: how far it is, how fast,
// what it costs, what fails, and how long it will take.
type reporter struct {
	session *stage.Session
	backend *backend.Backend
	stage   string
	pace    pace
	begun   bool
	watch   serverWatch
}

func newReporter(s *stage.Session, b *backend.Backend, name string) *reporter {
	return &reporter{session: s, backend: b, stage: name}
}

func (r *reporter) report(g texts.Progress) {
	if !r.begun {
		r.begun = true
		noteBegun(r.session.WS, r.stage, r.backend, g.Total)
	}
	servers := r.backend.Stats().Endpoints
	for _, line := range r.watch.news(servers) {
		r.session.Note(r.stage, "%s", line)
	}
	now := time.Now()
	r.pace.add(moment{now, g.Answered + g.Quarantined, g.PromptTokens + g.AnswerTokens})
	e := stage.Event{Stage: r.stage, Done: g.Done, Total: g.Total, Elapsed: g.Elapsed, Left: -1, Message: "texts"}
	var parts []string
	if answers, tokens, ok := r.pace.rates(); ok && answers > 0 {
		e.Left = time.Duration(float64(g.Total-g.Done) / answers * float64(time.Second))
		parts = append(parts, fmt.Sprintf("%.1f/s", answers))
		if tokens > 0 {
			parts = append(parts, fmt.Sprintf("%.0f tokens/s", tokens))
		}
	}
	if c := r.backend.Cost(); c != "" {
		parts = append(parts, c)
	}
	if f := classes(r.backend.Failures(g.Classes)); f != "" {
		parts = append(parts, "failures: "+f)
	}
	if who := absent(servers); who != "" {
		parts = append(parts, who)
	}
	if len(parts) > 0 {
		e.Message += " · " + strings.Join(parts, " · ")
	}
	r.session.Emit(e)
}

// moment is how far a run was at a time.
type moment struct {
	at      time.Time
	answers int // asked for, not found
	tokens  int64
}

// paceWindow is how far back a rate looks: what is stored already, and what was long
// ago, says nothing of the questions to come.
const paceWindow = 60 * time.Second

// pace measures rates over the recent past.
type pace struct{ moments []moment }

func (p *pace) add(m moment) {
	p.moments = append(p.moments, m)
	for len(p.moments) > 2 && m.at.Sub(p.moments[1].at) >= paceWindow {
		p.moments = p.moments[1:]
	}
	// The time in which nothing was asked yet is no work.
	for len(p.moments) > 1 && p.moments[1].answers == 0 {
		p.moments = p.moments[1:]
	}
}

// rates are answers and tokens a second; not ok before a few seconds of work.
func (p *pace) rates() (answers, tokens float64, ok bool) {
	if len(p.moments) == 0 {
		return 0, 0, false
	}
	first, last := p.moments[0], p.moments[len(p.moments)-1]
	seconds := last.at.Sub(first.at).Seconds()
	if seconds < stage.BeforeETA.Seconds() {
		return 0, 0, false
	}
	return float64(last.answers-first.answers) / seconds, float64(last.tokens-first.tokens) / seconds, true
}

package asking

import (
	"fmt"

	"github.com/mllmrec/mllmrec/internal/texts"
	"github.com/mllmrec/mllmrec/internal/usererr"
)

// Usable is an error where a model was asked and not one of its answers is usable: texts that
// are all fallbacks are not what was asked for, and nothing is to be built on them. show is the
// command that lists the failures.
func Usable(r texts.Report, show string) error {
	if r.Quarantined == 0 || r.Stored+r.Answered > 0 {
		return nil
	}
	last := ""
	if n := len(r.Failures); n > 0 {
		last = fmt.Sprintf(", the last: %s: %s", r.Failures[n-1].Subject, r.Failures[n-1].Error)
	}
	return usererr.New(fmt.Sprintf("See them with '%s' and %s quarantined. Ask another model, or write without one: %s offline.", show, usererr.Option("status"), usererr.Option("mllm")),
		"no question of %d has a usable answer (%s)%s", r.Quarantined, classes(r.Classes), last)
}

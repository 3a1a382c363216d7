package check

import (
	"fmt"
	"strings"

	"github.com/mllmrec/mllmrec/internal/mllm"
)

// echoes reports an answer that gives the prompt back: a mark around its data, ten words in a
// row of what its author wrote, or, in an answer of at least 25 words, three fifths in runs of
// eight words or more, of the data too. An answer that quotes a title has fewer.
func (r Rules) echoes(text string, words []string, q mllm.Request) string {
	for _, m := range r.Marks {
		if strings.Contains(strings.ToLower(text), strings.ToLower(m)) {
			return fmt.Sprintf("it has %q, which marks the data in the prompt", m)
		}
	}
	const ownRun = 10
	own := runs(ownRun, r.Own)
	for i := 0; i+ownRun <= len(words); i++ {
		if run := strings.Join(words[i:i+ownRun], " "); own[run] {
			return "it has words of the prompt: " + run
		}
	}
	const run, least = 8, 25
	if len(words) < least {
		return ""
	}
	asked := runs(run, q.System, q.Prompt)
	covered, until := 0, 0
	for i := 0; i+run <= len(words); i++ {
		if asked[strings.Join(words[i:i+run], " ")] {
			covered += i + run - max(i, until)
			until = i + run
		}
	}
	if 5*covered < 3*len(words) {
		return ""
	}
	return fmt.Sprintf("%d of its %d words are the prompt's", covered, len(words))
}

// runs returns all sequences of n words of the texts.
func runs(n int, texts ...string) map[string]bool {
	all := map[string]bool{}
	for _, text := range texts {
		w := tokens(text)
		for i := 0; i+n <= len(w); i++ {
			all[strings.Join(w[i:i+n], " ")] = true
		}
	}
	return all
}

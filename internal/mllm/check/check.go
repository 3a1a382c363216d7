// Package check decides whether an answer of a model is usable: it must not be empty, cut
// off, a refusal, a repetition or an echo of the prompt, and it must have the writing system
// and the length asked for. The checks matter because each item and user has one text
// (Eq. 1, 4): an unusable answer would misrepresent it for good.
//
// Every check accepts answers in doubt.
package check

import (
	"fmt"
	"strings"

	"github.com/mllmrec/mllmrec/internal/mllm"
)

// Rules are the requirements on an answer. The zero value only rejects answers that are
// empty, repetitive, cut off, a refusal or an echo.
type Rules struct {
	MaxWords int    // longest accepted answer, as Words counts; 0 means any
	Script   Script // writing system that most letters must be of; the zero value means any
}

// ForLimit returns rules for a prompt that asks for at most limit words. It accepts half as
// many again, since models count words badly.
func ForLimit(limit int, script Script) Rules {
	return Rules{MaxWords: limit + limit/2, Script: script}
}

// Answer checks a cleaned answer (see Clean) to r. It returns the class of the first fault
// and a short reason, or "" and "".
func Answer(r mllm.Request, resp mllm.Response, rules Rules) (mllm.Class, string) {
	text := resp.Text
	words := tokens(text)
	if len(words) == 0 {
		return mllm.Empty, "no words"
	}
	if reason := loops(text, words); reason != "" {
		return mllm.Repetition, reason
	}
	if class, why := mllm.Ending(resp.FinishReason); class != "" {
		return class, fmt.Sprintf("%s after %d words", why, Words(text))
	}
	if reason := refuses(text); reason != "" {
		return mllm.Refusal, reason
	}
	if n := Words(text); rules.MaxWords > 0 && n > rules.MaxWords {
		return mllm.TooLong, fmt.Sprintf("%d words, at most %d are accepted", n, rules.MaxWords)
	}
	if reason := rules.Script.misses(text); reason != "" {
		return mllm.WrongScript, reason
	}
	if reason := echoes(words, r); reason != "" {
		return mllm.Echo, reason
	}
	return "", ""
}

// ForRetry returns r as it is sent again after so many unusable answers; after none it is
// r itself. The seed changes, and since greedy decoding ignores the seed, the temperature
// is raised to at least 0.3.
func ForRetry(r mllm.Request, try int) mllm.Request {
	if try > 0 {
		r.Seed += int64(try) * 1_000_003
		r.Temperature = max(r.Temperature, 0.3)
	}
	return r
}

// echoes reports an answer of at least 20 words of which three fifths are copied from the
// prompt, in runs of eight words or more. An answer that quotes a title has fewer.
func echoes(words []string, r mllm.Request) string {
	const run, least = 8, 20
	if len(words) < least {
		return ""
	}
	asked := map[string]bool{}
	for _, source := range []string{r.System, r.Prompt} {
		w := tokens(source)
		for i := 0; i+run <= len(w); i++ {
			asked[strings.Join(w[i:i+run], " ")] = true
		}
	}
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

// Package check judges what a model answered: whether there is an answer at all, whether
// it ends, whether it says something, in the writing system and the length asked for,
// and whether it is the model's own. The preference texts of Eq. 4 are averaged over
// nothing: one looped or refused answer is one item or user misrepresented for good.
//
// Every check errs on the side of accepting. What each one looks for is said at its
// function.
package check

import (
	"fmt"
	"strings"

	"github.com/mllmrec/mllmrec/internal/mllm"
)

// Rules say what an answer must be. The zero value checks for what no answer may be:
// empty, looping, cut off, a refusal, an echo.
type Rules struct {
	MaxWords int    // longest accepted answer, as Words counts; 0 means any
	Script   Script // writing system that most letters must be of; the zero value means any
}

// ForLimit returns rules for a prompt that asks for at most limit words. Models count
// badly: half as many again is still accepted.
func ForLimit(limit int, script Script) Rules {
	return Rules{MaxWords: limit + limit/2, Script: script}
}

// Answer judges a cleaned answer (see Clean) to r. It returns the class of the first
// fault found and a reason fit for a list, or "" and "".
func Answer(r mllm.Request, resp mllm.Response, rules Rules) (mllm.Class, string) {
	text := resp.Text
	words := tokens(text)
	if len(words) == 0 {
		return mllm.Empty, "no words"
	}
	if reason := loops(text, words); reason != "" {
		return mllm.Repetition, reason
	}
	switch resp.FinishReason {
	case "length", "max_tokens":
		return mllm.CutOff, fmt.Sprintf("the token limit ended it after %d words", Words(text))
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

// echoes reports an answer of at least 20 words most of which (three fifths, in runs of
// eight words or more) stand in the prompt. A quoted title stays below that.
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

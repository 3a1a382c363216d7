// Package check decides whether an answer of a model is usable: it must not be empty, cut
// off, a refusal, a repetition, an echo of the prompt or about the list instead of the taste
// behind it, and it must have the writing system and the length asked for. The checks matter because each item and user has one text
// (Eq. 1, 4): an unusable answer would misrepresent it for good.
//
// Every check accepts answers in doubt.
package check

import (
	"fmt"

	"github.com/mllmrec/mllmrec/internal/mllm"
)

// Rules are the requirements on an answer. The zero value only rejects answers that are
// empty, repetitive, cut off, a refusal or an echo.
type Rules struct {
	MaxWords int    // longest accepted answer, as Words counts; 0 means any
	Script   Script // writing system that most letters must be of; the zero value means any
	// Own are the words of the prompt that are its author's, not data that an answer may
	// quote, and Marks the signs that stand around that data.
	Own   string
	Marks []string
	// Taste asks for what is behind a list of choices: an answer that counts the list or
	// goes through it is none.
	Taste bool
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
	if reason := rules.echoes(text, words, r); reason != "" {
		return mllm.Echo, reason
	}
	if rules.Taste {
		if reason := lists(text); reason != "" {
			return mllm.OffTask, reason
		}
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

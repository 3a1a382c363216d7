package mllm

import (
	"math"
	"sync"
	"unicode"
	"unicode/utf8"
)

// Tokens cannot be counted without the model's tokenizer, which servers do not provide. Two
// numbers are used instead: an estimate, corrected by the server's counts, for context
// windows and budgets; and a floor that no present tokenizer goes below, which shows that a
// server cut a prompt.

// ImageTokens is the default estimate for one picture, that of Gemma 3.
const ImageTokens = 256

// wrapperTokens is the number of tokens reserved for the chat template around the messages.
const wrapperTokens = 32

// EstimateTokens returns a rough token count of text, meant to err high: about four
// Latin letters a token, one token a digit, a sign or a CJK character, one for two
// letters of any other script.
func EstimateTokens(text string) int {
	var n float64
	for _, r := range text {
		if r < utf8.RuneSelf {
			n += asciiTokens[r]
		} else {
			n += runeTokens(r)
		}
	}
	return int(math.Ceil(n))
}

// asciiTokens caches runeTokens of ASCII characters, which most texts consist of.
var asciiTokens = func() (t [utf8.RuneSelf]float64) {
	for r := range t {
		t[r] = runeTokens(rune(r))
	}
	return t
}()

func runeTokens(r rune) float64 {
	switch {
	case r == ' ':
		return 0.05 // usually part of the next word's token
	case unicode.IsDigit(r), isCJK(r):
		return 1
	case r < 0x250 && unicode.IsLetter(r):
		return 0.25
	case unicode.IsLetter(r), unicode.IsMark(r):
		return 0.5
	}
	return 1
}

// FloorTokens returns a count that the tokens of text do not fall below: tokenizers do
// not join words across white space, and give at least about a third of a token to a
// CJK character.
func FloorTokens(text string) int {
	words, cjk, inWord := 0, 0, false
	for _, r := range text {
		switch {
		case isCJK(r):
			cjk++
			inWord = false
		case unicode.IsLetter(r), unicode.IsDigit(r):
			if !inWord {
				words++
			}
			inWord = true
		case unicode.IsSpace(r):
			inWord = false
		}
	}
	return words + cjk/3
}

func isCJK(r rune) bool {
	return r >= 0x2e80 && unicode.In(r, unicode.Han, unicode.Hiragana, unicode.Katakana, unicode.Hangul)
}

// Estimator estimates prompt tokens for one model, corrected by the counts that the server
// reports. The zero value is ready to use. It is safe for concurrent use.
type Estimator struct {
	PerImage int // tokens a picture; 0 means ImageTokens

	mu    sync.Mutex
	ratio float64 // reported / estimated text tokens, smoothed; 0 = nothing seen
}

// Prompt estimates the prompt tokens of r, template and pictures included.
func (e *Estimator) Prompt(r Request) int {
	return int(math.Ceil(e.factor()*float64(textTokens(r)))) + wrapperTokens + e.images(r)
}

// Observe corrects the estimate by the server's count for a request that it read whole. It
// ignores short prompts, whose count depends more on the chat template than on the text.
func (e *Estimator) Observe(r Request, promptTokens int) {
	text := textTokens(r)
	seen := promptTokens - wrapperTokens - e.images(r)
	if text < 50 || seen <= 0 {
		return
	}
	ratio := min(max(float64(seen)/float64(text), 0.25), 8)
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.ratio == 0 {
		e.ratio = ratio
		return
	}
	// Follow a higher count at once and a lower one slowly: too small a window loses an
	// answer, too large a one only costs memory.
	weight := 0.1
	if ratio > e.ratio {
		weight = 0.5
	}
	e.ratio += weight * (ratio - e.ratio)
}

func (e *Estimator) factor() float64 {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.ratio == 0 {
		return 1
	}
	return e.ratio
}

func (e *Estimator) images(r Request) int {
	per := e.PerImage
	if per == 0 {
		per = ImageTokens
	}
	return per * len(r.Images)
}

func textTokens(r Request) int { return EstimateTokens(r.System) + EstimateTokens(r.Prompt) }

// PromptWasCut reports whether a server that counted promptTokens cannot have read all of r.
// numCtx is the window requested, 0 if none. A count of 0 was not reported and shows
// nothing. Ollama drops a picture whole when the cut falls inside it, so with pictures a
// count that is below the window by at most their tokens also shows a cut.
func PromptWasCut(r Request, promptTokens, numCtx int) bool {
	if promptTokens <= 0 {
		return false
	}
	const around = 8 // tokens that mark a picture's place
	if numCtx > 0 && promptTokens >= numCtx-1-len(r.Images)*(ImageTokens+around) {
		return true
	}
	floor := FloorTokens(r.System) + FloorTokens(r.Prompt)
	if promptTokens < floor*9/10 {
		return true
	}
	// If the server itself sets the window, a cut prompt has a count that is exactly a power
	// of two, and less than the prompt needs.
	if promptTokens >= 2000 && nearPowerOfTwo(promptTokens) {
		return float64(textTokens(r)) > 1.2*float64(promptTokens)
	}
	return false
}

func nearPowerOfTwo(n int) bool {
	for p := 2048; p <= 1<<24; p *= 2 {
		if n >= p-2 && n <= p {
			return true
		}
	}
	return false
}

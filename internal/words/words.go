// Package words cuts text into the terms of a bag of words: Unicode words in lower case,
// digits included, and overlapping bigrams of scripts without spaces between words (Chinese,
// Japanese, Korean, Thai). It marks English function words. The LSA encoder and the offline
// reasoner share it, so that the terms that the reasoner writes are those that the encoder
// counts.
package words

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// maxTermBytes bounds a term. Longer words are cut, so that a megabyte without a space does
// not become one term.
const maxTermBytes = 64

// Term is one term of a text. Text is lower-cased; the bytes it was made from are
// at Start to End in the source.
type Term struct {
	Text       string
	Start, End int
	Stop       bool // a function word, which says nothing about the topic of the text
	Part       bool // one of several overlapping pairs of a stretch without blanks: no word by itself
}

// Terms calls yield for each term of text in order. Bytes that are not UTF-8 separate words,
// as spaces do.
func Terms(text string, yield func(Term)) {
	for i := 0; i < len(text); {
		r, size := utf8.DecodeRuneInString(text[i:])
		switch {
		case unbroken(r):
			i = bigrams(text, i, yield)
		case inWord(r) && !unicode.IsMark(r):
			i = word(text, i, yield)
		default:
			i += size
		}
	}
}

// word yields the word that starts at start and returns where it ends. An
// apostrophe between letters belongs to the word and is dropped from its term.
func word(text string, start int, yield func(Term)) int {
	end, apostrophes, upper := start, false, false
	for end < len(text) && end-start < maxTermBytes {
		r, size := utf8.DecodeRuneInString(text[end:])
		if r == '\'' || r == '’' {
			next, _ := utf8.DecodeRuneInString(text[end+size:])
			if !unicode.IsLetter(next) || unbroken(next) {
				break
			}
			apostrophes = true
		} else if !inWord(r) || unbroken(r) {
			break
		}
		upper = upper || r >= utf8.RuneSelf || ('A' <= r && r <= 'Z')
		end += size
	}
	t := text[start:end]
	if apostrophes {
		t = strings.NewReplacer("'", "", "’", "").Replace(t)
	}
	if upper {
		t = strings.ToLower(t)
	}
	yield(Term{Text: t, Start: start, End: end, Stop: IsStop(t)})
	return end
}

// bigrams yields the overlapping pairs of the unbroken run that starts at start; a
// run of one character is yielded alone.
func bigrams(text string, start int, yield func(Term)) int {
	_, size := utf8.DecodeRuneInString(text[start:])
	prev, end := start, start+size
	pairs := 0
	r, size := utf8.DecodeRuneInString(text[end:])
	for unbroken(r) {
		next := end + size
		r, size = utf8.DecodeRuneInString(text[next:])
		yield(Term{Text: text[prev:next], Start: prev, End: next, Part: pairs > 0 || unbroken(r)})
		prev, end = end, next
		pairs++
	}
	if pairs == 0 {
		yield(Term{Text: text[start:end], Start: start, End: end})
	}
	return end
}

func inWord(r rune) bool {
	if r < utf8.RuneSelf {
		return 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9'
	}
	return r != utf8.RuneError && (unicode.IsLetter(r) || unicode.IsDigit(r) || unicode.IsMark(r))
}

// unbroken reports whether r is of a script that is written without blanks.
func unbroken(r rune) bool {
	if r < 0x0E00 || r == utf8.RuneError || !unicode.IsLetter(r) && !unicode.IsMark(r) {
		return false
	}
	return r == 'ー' || unicode.In(r, unicode.Han, unicode.Hiragana, unicode.Katakana, unicode.Hangul, unicode.Thai, unicode.Lao, unicode.Khmer, unicode.Myanmar)
}

// IsStop reports whether a lower-cased term is an English function word.
func IsStop(term string) bool {
	return len(term) == 1 && term[0] >= 'a' && term[0] <= 'z' || stop[term]
}

var stop = func() map[string]bool {
	m := map[string]bool{}
	for _, w := range strings.Fields(stopList) {
		m[w] = true
	}
	return m
}()

const stopList = `
a an the this that these those such same own other another each every either neither both all any some no none not nor
and or but if then else so than though although because since while until unless whether as
i me my mine myself you your yours yourself he him his himself she her hers herself it its itself
we us our ours ourselves they them their theirs themselves who whom whose which what when where why how
am is are was were be been being do does did doing done have has had having will would shall should can could may might must
dont doesnt didnt isnt arent wasnt werent wont wouldnt cant couldnt shouldnt hasnt havent hadnt
im ive youre youve hes shes theyre weve thats whats lets ill youll
of in on at by for from to into onto out off over under up down with without within about above below between among against
through during before after again further once here there now just only very too also even still yet ever more most much many few less least
one let get got
s t d ll re ve m`

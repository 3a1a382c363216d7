package offline

import (
	"strings"
)

// A history of minHistory items or more is asked what changed: its last third, at least
// three items, against what came before.
const minHistory = 6

// latelySentence says which kind came up and which went away, or which brand or colour
// where the shop knows no kinds. A change is one that chance would rarely make of counts so small: at
// least two recent items of a kind whose rate doubled, or three early ones and none since.
func latelySentence(h *history) string {
	n := len(h.items)
	if n < minHistory {
		return ""
	}
	since := n - max(n/3, 3)
	for _, names := range [][]counted{h.kinds, h.brands, h.aspects[colourWord], h.aspects[material]} {
		var more, fewer []string
		for _, c := range names {
			late := 0
			for _, i := range c.items {
				if i >= since {
					late++
				}
			}
			early := len(c.items) - late
			// rates late/(n-since) and early/since, compared without dividing
			switch {
			case late >= 2 && late*since >= 2*early*(n-since) && len(more) < 2:
				more = append(more, c.text)
			case late == 0 && early >= 3 && len(fewer) < 2:
				fewer = append(fewer, c.text)
			}
		}
		if s := changes(more, fewer); s != "" && len(strings.Fields(s)) <= latelyWords {
			return s
		}
	}
	return ""
}

func changes(more, fewer []string) string {
	switch {
	case len(more) > 0 && len(fewer) > 0:
		return "Lately more " + and(more) + ", no " + strings.Join(fewer, " or ") + "."
	case len(more) > 0:
		return "Lately more " + and(more) + "."
	case len(fewer) > 0:
		return "Lately no " + strings.Join(fewer, " or ") + "."
	}
	return ""
}

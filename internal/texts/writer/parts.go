package writer

import (
	"fmt"
	"strconv"
	"strings"
	"sync"

	"github.com/mllmrec/mllmrec/internal/mllm"
	"github.com/mllmrec/mllmrec/internal/texts"
	"github.com/mllmrec/mllmrec/internal/texts/prompt"
	"github.com/mllmrec/mllmrec/internal/usererr"
)

// fitter decides which items of one history go into one prompt. It counts estimated tokens
// (see mllm.EstimateTokens, which errs high) times ratio. ratio begins at 1 and only grows:
// to what the server counted for earlier parts of this history, and by half whenever the
// server finds a prompt too long. Other histories do not influence it, so that a history is
// cut into the same parts in every run.
type fitter struct {
	opt   Options
	r     texts.ReasonRequest
	costs []int // estimated tokens of each item
	first int   // of a preference prompt, without items
	next  int   // of a continue prompt, without items and conclusion
	ratio float64
}

// conclusionTokens is the number of tokens reserved for each word that a conclusion may have.
const conclusionTokens = 3

func newFitter(opt Options, r texts.ReasonRequest, m *measures) (*fitter, error) {
	o, err := m.overhead(opt, r.Domain)
	if err != nil {
		return nil, err
	}
	f := &fitter{opt: opt, r: r, costs: make([]int, len(r.Items)), first: o.first, next: o.next, ratio: 1}
	for i, it := range r.Items {
		f.costs[i] = m.item(opt, it) + len(strconv.Itoa(i+1))
	}
	return f, nil
}

// measures caches estimated tokens under one set of options: of prompts without data, by
// domain, and of items, which occur in many histories. It is safe for concurrent use.
type measures struct {
	domains sync.Map // string to overhead
	items   sync.Map // itemText to int
}

// itemText is everything of an item that a prompt shows.
type itemText struct{ title, brand, categories, description, picture string }

// item estimates the tokens of an item's line. The number 0 in it stands for the line end;
// newFitter adds the tokens of the real number.
func (m *measures) item(opt Options, it texts.HistoryItem) int {
	key := itemText{it.Item.Title, it.Item.Brand, strings.Join(it.Item.Categories, "\x00"), it.Item.Description, it.ImageText}
	if known, ok := m.items.Load(key); ok {
		return known.(int)
	}
	cost := mllm.EstimateTokens(prompt.HistoryLine(it, 0, opt.Limits))
	m.items.Store(key, cost)
	return cost
}

// overhead is the number of estimated tokens of prompts without their data.
type overhead struct {
	first int // a preference prompt, without items
	next  int // a continue prompt, without items and conclusion
}

func (m *measures) overhead(opt Options, domain string) (overhead, error) {
	if known, ok := m.domains.Load(domain); ok {
		return known.(overhead), nil
	}
	// Two items, not one: a template may have longer words for several.
	empty := texts.ReasonRequest{Domain: domain, Items: make([]texts.HistoryItem, 3)}
	p, err := opt.Prompts.Preference(empty, 2, opt.Limits)
	if err != nil {
		return overhead{}, err
	}
	next, err := opt.Prompts.Continue(empty, "", 1, 3, opt.Limits)
	if err != nil {
		return overhead{}, err
	}
	const digits = 40 // room for the numbers of a longer history
	o := overhead{messageTokens(p) + digits, messageTokens(next) + digits}
	m.domains.Store(domain, o)
	return o, nil
}

// surelyWhole reports whether a history would fit one prompt even if every byte or shown
// character of it were a token. For most histories this saves counting tokens.
func surelyWhole(opt Options, r texts.ReasonRequest, o overhead) bool {
	const lineTokens = 20 // number, "Picture:", line ends
	f := fitter{opt: opt, ratio: 1}
	room := f.room(o.first)
	for _, it := range r.Items {
		text := len(it.Item.Title) + len(it.Item.Brand) + len(it.Item.Description) + 3
		for _, c := range it.Item.Categories {
			text += len(c) + 1
		}
		room -= min(text, opt.Limits.ItemRunes) + min(len(it.ImageText), opt.Limits.ImageRunes) + lineTokens
		if room < 0 {
			return false
		}
	}
	return opt.LatestN == 0 || len(r.Items) <= opt.LatestN
}

func messageTokens(p prompt.Prompt) int {
	return mllm.EstimateTokens(p.System) + mllm.EstimateTokens(p.User)
}

// room is the number of estimated tokens of items that fit into the window together with
// overhead. An eighth of the prompt stays free for errors of the estimate, as in the
// clients of package mllm.
func (f *fitter) room(overhead int) int {
	free := float64(f.opt.Window-f.opt.MaxTokens-wrapper) / (1.125 * f.ratio)
	return int(free) - overhead
}

// from is the position of the first item that is shown.
func (f *fitter) from() (int, error) {
	n := len(f.costs)
	if f.opt.History != Latest {
		return 0, nil
	}
	at, room := n, f.room(f.first)
	for at > 0 && f.costs[at-1] <= room && (f.opt.LatestN == 0 || n-at < f.opt.LatestN) {
		at--
		room -= f.costs[at]
	}
	if at == n {
		return 0, f.tooSmall()
	}
	return at, nil
}

// parts cuts the items from position begin on into as few parts as possible, of about equal
// length, and returns their sizes. conclusion is the one drawn from the items before begin;
// it is ignored when begin is 0.
func (f *fitter) parts(begin int, conclusion string) ([]int, error) {
	rest := f.room(f.next + conclusionTokens*f.opt.Limits.Words)
	room := f.room(f.first)
	if begin > 0 {
		room = f.room(f.next + max(mllm.EstimateTokens(conclusion), conclusionTokens*f.opt.Limits.Words))
	}
	costs := f.costs[begin:]
	sizes := pack(costs, room, rest)
	if sizes == nil {
		return nil, f.tooSmall()
	}
	// By bisection, find the least load a part that needs no more parts.
	lo, hi := 0, max(room, rest)
	for hi-lo > 1 {
		mid := lo + (hi-lo)/2
		if s := pack(costs, min(room, mid), min(rest, mid)); s != nil && len(s) == len(sizes) {
			sizes, hi = s, mid
		} else {
			lo = mid
		}
	}
	return sizes, nil
}

// pack fills parts one after the other, the first up to room and the others up to rest, and
// returns their sizes. It returns nil if a single item does not fit.
func pack(costs []int, room, rest int) []int {
	var sizes []int
	size, load := 0, 0
	for _, c := range costs {
		if load+c > room && size > 0 {
			sizes = append(sizes, size)
			size, load, room = 0, 0, rest
		}
		if load+c > room {
			return nil
		}
		size, load = size+1, load+c
	}
	return append(sizes, size)
}

func (f *fitter) tooSmall() error {
	return usererr.New("Allow a larger window, shorter answers, or fewer characters of each item.", "a window of %d tokens with %d for the answer is too small for one item of user %q",
		f.opt.Window, f.opt.MaxTokens, f.r.User)
}

// observe raises the ratio to what the server counted for a prompt.
func (f *fitter) observe(p prompt.Prompt, reported int) {
	if text := messageTokens(p); text > 0 {
		f.ratio = max(f.ratio, float64(reported-wrapper)/float64(text))
	}
}

// cut raises the ratio after the server found a prompt too long. It returns false when
// raising it further is of no use.
func (f *fitter) cut() bool {
	f.ratio *= 1.5
	return f.ratio < 20
}

// LongestItem estimates the tokens that the longest of the items' texts takes in a prompt, for
// [Options.LongestItem]. Prompts show a text cut and cleaned, never longer than it is, but for
// the signs that take the place of others.
func LongestItem(texts []string) int {
	const line = 20 // number, "Picture:", line ends
	longest := 0
	for _, text := range texts {
		longest = max(longest, mllm.EstimateTokens(text))
	}
	return ceil(1.1*float64(longest)) + line
}

// checkWindow fails if the window may be too small for a single item.
func (o Options) checkWindow() error {
	f, err := newFitter(o, texts.ReasonRequest{}, new(measures))
	if err != nil {
		return err
	}
	longest := o.Limits.ItemRunes + o.Limits.ImageRunes + 20 // a token a character, at most
	if o.LongestItem > 0 {
		longest = min(longest, o.LongestItem)
	}
	if need := longest + f.next + conclusionTokens*o.Limits.Words; f.room(0) < need {
		return usererr.New(fmt.Sprintf("Use a window of at least %d, or fewer characters of each item.", ceil(1.125*float64(need))+o.MaxTokens+wrapper),
			"a window of %d tokens, %d of them for the answer, may be too small for the text of one item, of about %d", o.Window, o.MaxTokens, longest)
	}
	return nil
}

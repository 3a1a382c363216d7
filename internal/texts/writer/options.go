// Package writer writes texts by multimodal models on servers. Its [Describer] describes
// pictures (Eq. 1) and its [Reasoner] infers preferences from histories (Eq. 3–4), both
// through an [mllm.Client]. The package decides what is sent, how a long history is fitted
// into the model's context window, and which answers are accepted. It also estimates what
// a stage costs ([EstimateDescribe], [EstimateReason]), prepares single requests for batch
// services ([SingleRequest]), shows answers side by side ([Sheet]), and exports prompts
// with their answers for fine-tuning ([ChatWriter]).
//
// An answer depends on the request, on what ID names and on the model's arithmetic only:
// not on other requests, on the machine, or on anything learnt during the run.
package writer

import (
	"fmt"
	"math"
	"time"

	"github.com/mllmrec/mllmrec/internal/mllm/check"
	"github.com/mllmrec/mllmrec/internal/texts/prompt"
	"github.com/mllmrec/mllmrec/internal/usererr"
)

// History says what is done with a history that does not fit the context window.
type History string

// The ways to deal with long histories.
const (
	// Recurrent asks about the history part by part, in time order: the model draws a
	// conclusion from the first part, then one from that conclusion and the next part, and
	// so on. The last conclusion is the preference.
	Recurrent History = "recurrent"
	// Latest shows as many of the latest items as fit, and leaves the others out.
	Latest History = "latest"
)

// parseHistory returns the way named; "" is Recurrent.
func parseHistory(name string) (History, error) {
	switch h := History(name); h {
	case "":
		return Recurrent, nil
	case Recurrent, Latest:
		return h, nil
	}
	return "", usererr.New("Use recurrent or latest.", "unknown way %q to deal with long histories", name)
}

// DefaultWindow is the number of tokens that prompt and answer are fitted into unless the
// user or the model sets a smaller one. It is a constant so that a history is cut into the
// same parts whatever server runs the model. Models follow a short prompt better than one
// that fills the window they advertise.
const DefaultWindow = 16384

const (
	minWindow = 1024
	maxWindow = 1 << 22
)

// Options say how models are asked. The zero value of each field but Model means its default.
type Options struct {
	Model       string
	Prompts     *prompt.Set    // nil = prompt.Default()
	Limits      prompt.Options // on words and on the length of item texts
	Temperature float64        // 0 = greedy
	Seed        int64
	MaxTokens   int           // longest answer in tokens; 5 for each word asked for
	Think       *bool         // switches reasoning on or off; nil leaves it to the model
	Extra       string        // further members of a request's body, a JSON object; OpenAI-compatible servers
	NumCtx      int           // window to ask of an Ollama server, in tokens; 0: by the prompt's length
	Timeout     time.Duration // of one request; 0 = the client's own
	Script      check.Script  // writing system that answers must be in; the zero value means any

	// Window is what prompt and answer must fit into, in tokens: NumCtx if that is set,
	// else DefaultWindow, or the model's context length where that is smaller.
	Window int
	// LongestItem is what the longest text of an item in the catalogue takes, in tokens; see
	// [LongestItem]. 0: as long as Limits allow. A window into which it does not fit is refused.
	LongestItem int
	History     History // what is done with histories that do not fit; Recurrent
	// LatestN is the greatest number of items that Latest shows, even of a history that
	// would fit; 0 = as many as fit. With Recurrent it is an error.
	LatestN int
	// PartTries is how often the model is asked about one part of a history before the
	// whole question fails; 3.
	PartTries int
	// Conclusions stores the conclusions from parts of a history, so that they are not paid
	// for twice; nil = they are not stored.
	Conclusions ConclusionStore
}

// withDefaults fills in all defaults but that of Window, which depends on the model.
func (o Options) withDefaults() (Options, error) {
	var err error
	if o.Limits, err = o.Limits.WithDefaults(); err != nil {
		return o, err
	}
	if o.Prompts == nil {
		o.Prompts = prompt.Default()
	}
	if o.History, err = parseHistory(string(o.History)); err != nil {
		return o, err
	}
	if o.MaxTokens == 0 {
		o.MaxTokens = 5 * o.Limits.Words
	}
	if o.PartTries == 0 {
		o.PartTries = 3
	}
	switch {
	case o.Model == "":
		return o, usererr.New("Name the model, such as gemma3:27b.", "no model to ask")
	case !(o.Temperature >= 0 && o.Temperature <= 2): // so that NaN fails too
		return o, usererr.New("Use a number from 0 to 2.", "temperature %v", o.Temperature)
	case o.MaxTokens < 1 || o.MaxTokens > maxWindow:
		return o, usererr.New("Use a positive number, or leave it out for five tokens a word.", "answers of at most %d tokens", o.MaxTokens)
	case o.Timeout < 0:
		return o, usererr.New("Leave it out for the client's default.", "timeout %s", o.Timeout)
	case o.NumCtx != 0 && (o.NumCtx < minWindow || o.NumCtx > maxWindow), o.Window != 0 && (o.Window < minWindow || o.Window > maxWindow):
		return o, usererr.New(fmt.Sprintf("Use a number from %d to %d.", minWindow, maxWindow), "a context window of %d tokens", max(o.NumCtx, o.Window))
	case o.NumCtx != 0 && o.Window > o.NumCtx:
		return o, usererr.New("Leave out one of the two.", "prompts of %d tokens do not fit a context window of %d", o.Window, o.NumCtx)
	case o.LatestN < 0:
		return o, usererr.New("Use a positive number.", "the latest %d items", o.LatestN)
	case o.LatestN > 0 && o.History != Latest:
		return o, usererr.New("Choose to show the latest items only, too.", "a number of latest items has no effect when histories are read in parts")
	case o.PartTries < 1 || o.PartTries > 100:
		return o, usererr.New("Use a number from 1 to 100.", "%d tries for one part of a history", o.PartTries)
	}
	return o, nil
}

// window sets Window, given the model's context length (0: unknown).
func (o Options) window(contextLength int) (Options, error) {
	asked := o.Window
	if asked == 0 {
		asked = o.NumCtx
	}
	switch {
	case asked == 0 && contextLength > 0:
		asked = min(DefaultWindow, contextLength)
	case asked == 0:
		asked = DefaultWindow
	case contextLength > 0 && asked > contextLength:
		return o, usererr.New(fmt.Sprintf("Use at most %d.", contextLength), "model %s reads %d tokens, fewer than the window of %d", o.Model, contextLength, asked)
	}
	o.Window = asked
	return o, nil
}

// rules are the checks that an answer must pass.
func (o Options) rules() check.Rules { return check.ForLimit(o.Limits.Words, o.Script) }

// id names what determines an answer to a prompt: it is the ID of a describer and the base
// of that of a reasoner, which adds the window. It is part of the keys of stored answers
// and begins with "served/1" for that reason: changing it would lose every paid answer.
func (o Options) id(digest string, template string) string {
	id := fmt.Sprintf("served/1 model=%q digest=%s temperature=%v seed=%d max_tokens=%d words=%d item_runes=%d image_runes=%d script=%s prompt=%s",
		o.Model, digest, o.Temperature, o.Seed, o.MaxTokens, o.Limits.Words, o.Limits.ItemRunes, o.Limits.ImageRunes, o.Script, template)
	if o.Think != nil {
		id += fmt.Sprintf(" think=%v", *o.Think)
	}
	if o.Extra != "" {
		id += fmt.Sprintf(" extra=%s", o.Extra)
	}
	return id
}

// ceil rounds up.
func ceil(x float64) int { return int(math.Ceil(x)) }

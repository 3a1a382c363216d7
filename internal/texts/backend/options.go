// Package backend is who writes texts: plain rules that need no model, or a multimodal
// model on servers. It turns the user's options into the describer and the reasoner that
// the stages ask, and says what they cost and why they fail.
package backend

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/mllmrec/mllmrec/internal/mllm"
	"github.com/mllmrec/mllmrec/internal/mllm/check"
	"github.com/mllmrec/mllmrec/internal/mllm/connect"
	"github.com/mllmrec/mllmrec/internal/mllm/ollama"
	"github.com/mllmrec/mllmrec/internal/mllm/openai"
	"github.com/mllmrec/mllmrec/internal/texts/prompt"
	"github.com/mllmrec/mllmrec/internal/texts/writer"
	"github.com/mllmrec/mllmrec/internal/usererr"
)

// Offline names the writer that needs no model: pixels are measured, preferences are
// extracted from the users' train items. The other writers are model servers, of the
// kinds of package connect.
const Offline = "offline"

// Options say who describes pictures and writes preferences. What is encoded as JSON is
// kept in the workspace, and holds no secret.
type Options struct {
	_       struct{} `group:"Who writes"`
	MLLM    string   `option:"mllm" json:"mllm" choices:"ollama,openai,offline" default:"ollama" doc:"who writes texts (openai: any OpenAI-compatible server; offline: no model, pixels measured and preferences extracted)"`
	Models  []string `option:"mllm-model" old:"model" json:"models,omitempty" if:"mllm!=offline" doc:"name of the multimodal model (ollama: gemma3:27b unless given); several for a sample only"`
	Prompts []string `option:"prompts" json:"prompt_files,omitempty" if:"mllm!=offline" doc:"prompt template, or folder of them, in place of the built-in ones; several for a sample only"`

	Answers Answers `group:"Answers" json:"answers,omitzero"`
	Servers Servers `group:"Model servers" json:"servers,omitzero"`
	Shared  Shared  `group:"Sharing the work" json:"-"`
}

// Answers say what a good answer is and how it is drawn.
type Answers struct {
	Words       int     `option:"words" json:"words,omitempty" if:"mllm!=offline" min:"0" doc:"word limit of an answer (default 100)"`
	MaxTokens   int     `option:"max-tokens" json:"max_tokens,omitempty" if:"mllm!=offline" doc:"longest answer in tokens (default: 5 for each word of the limit)"`
	Script      string  `option:"script" json:"script,omitempty" if:"mllm!=offline" doc:"writing system that answers must be in: Latin, Cyrillic, Han, Japanese, …"`
	Temperature float64 `option:"temperature" json:"temperature,omitempty" if:"mllm!=offline" doc:"sampling temperature of the model; 0 is greedy"`
	Seed        int64   `option:"model-seed" json:"seed,omitempty" if:"mllm!=offline" doc:"random seed of the model's sampling"`
	NumCtx      int     `option:"num-ctx" json:"num_ctx,omitempty" if:"mllm!=offline" doc:"context window in tokens to ask of Ollama (default: by each prompt's length)"`
	Think       string  `option:"think" json:"think,omitempty" if:"mllm!=offline" choices:"on,off" doc:"reasoning of thinking models before they answer (default: as the model does)"`
	Extra       string  `option:"extra-body" json:"extra_body,omitempty" if:"mllm=openai" doc:"further members of each request, a JSON object such as {\"reasoning_effort\": \"low\"}"`
	Attempts    int     `option:"attempts" json:"attempts,omitempty" if:"mllm!=offline" runs:"process" min:"0" doc:"tries of a question whose answer is no good, before it is quarantined (default 3)"`
}

// Servers say how servers are reached and what is asked of them at most: nothing of it
// has a part in what they answer.
type Servers struct {
	BaseURLs    []string      `option:"base-url" json:"base_urls,omitempty" if:"mllm!=offline" runs:"process" doc:"address of the server (ollama: http://localhost:11434); again for more servers, with settings of each behind a #, such as http://gpu1:11434#weight=2&concurrency=8"`
	KeyEnv      string        `option:"api-key-env" json:"api_key_env,omitempty" if:"mllm!=offline" runs:"process" doc:"environment variable that holds the server's key (openai: OPENAI_API_KEY, if it is set)"`
	Concurrency int           `option:"concurrency" json:"concurrency,omitempty" if:"!workers" runs:"process" min:"0" max:"1024" doc:"requests in flight for each server (default 4; offline: pictures measured at a time, 8)"`
	RPM         float64       `option:"rpm" json:"rpm,omitempty" if:"mllm!=offline;!workers" runs:"process" doc:"most requests a minute for each server"`
	TPM         float64       `option:"tpm" json:"tpm,omitempty" if:"mllm!=offline;!workers" runs:"process" doc:"most tokens a minute for each server"`
	Timeout     time.Duration `option:"timeout" json:"timeout,omitempty" if:"mllm!=offline;!workers" runs:"process" doc:"time limit of one request (ollama: 10m, openai: 5m)"`
	KeepAlive   string        `option:"keep-alive" json:"keep_alive,omitempty" if:"mllm!=offline;!workers" runs:"process" doc:"time that Ollama keeps the model loaded, such as 30m"`
	Completion  bool          `option:"max-completion-tokens" json:"max_completion_tokens,omitempty" if:"mllm=openai;!workers" runs:"process" doc:"send the limit of an answer as max_completion_tokens (else learnt from a server that refuses max_tokens)"`
	NoSampling  bool          `option:"omit-sampling" json:"omit_sampling,omitempty" if:"mllm=openai;!workers" runs:"process" doc:"leave out temperature and seed (else learnt from a server that refuses them)"`
	MaxCost     float64       `option:"max-cost" json:"-" if:"mllm!=offline;!workers" runs:"process" min:"0" doc:"cost, in the price table's currency, before which this process stops"`
	MaxHours    float64       `option:"max-hours" json:"-" if:"mllm!=offline;!workers" runs:"process" min:"0" max:"999999" doc:"hours after which this process stops"`
	Prices      string        `option:"prices" json:"prices,omitempty" if:"mllm!=offline;!workers" runs:"process" doc:"price table to use in place of the built-in one"`
}

// Shared says where answers are kept and who asks.
type Shared struct {
	Store   string `option:"store" runs:"process" doc:"postgres:// address of a ledger shared by many machines (default: a file in the workspace)"`
	Spool   string `option:"spool" if:"mllm!=offline;!workers" runs:"process" doc:"folder to save answers to that the ledger cannot take when the program stops, such as one on another disk (default: in your configuration folder)"`
	Workers bool   `option:"workers" if:"mllm!=offline;store" runs:"process" doc:"questions to worker processes that share the store instead of to servers; this process waits for them"`
}

// LongHistories say what is done about histories that a model cannot read at once.
type LongHistories struct {
	_       struct{} `group:"Long histories"`
	Window  int      `option:"window" json:"window,omitempty" if:"mllm!=offline" min:"0" doc:"tokens that a prompt and its answer must fit into (default 16384, or what the model can read)"`
	History string   `option:"long-history" json:"long_history,omitempty" if:"mllm!=offline" choices:"recurrent,latest" doc:"reading of histories over the window: in parts, in time order (recurrent, the default), or the latest items that fit (latest)"`
	LatestN int      `option:"latest" json:"latest_n,omitempty" if:"long-history=latest" min:"0" doc:"largest number of items shown"`
}

// Check refuses what cannot work, before any server is asked. The options without effect
// are found by the option set that they were given through.
func (o Options) Check() error {
	if o.Shared.Workers && !IsPostgres(o.Shared.Store) {
		return usererr.New("Give the address of the database that workers share, postgres://….", "%s has no effect without a shared ledger in %s",
			usererr.Option("workers"), usererr.Option("store"))
	}
	if o.Shared.Workers && o.Servers.KeyEnv != "" && len(o.Servers.BaseURLs) == 0 && o.MLLM == connect.OpenAI {
		return usererr.New("Leave it out here and give it to the workers.", "%s has no effect with %s: nothing here needs a key",
			usererr.Option("api-key-env"), usererr.Option("workers"))
	}
	for name, list := range map[usererr.Option][]string{"mllm-model": o.Models, "prompts": o.Prompts} {
		if len(list) > 1 {
			return usererr.New("Only a sample takes several.", "%s is given %d times", name, len(list))
		}
	}
	if _, err := openai.Extra(o.Answers.Extra); err != nil {
		return err
	}
	if o.Servers.NoSampling && o.Answers.Temperature != 0 {
		return usererr.New("Leave out one of the two.", "%s has no effect with %s", usererr.Option("temperature"), usererr.Option("omit-sampling"))
	}
	switch o.MLLM {
	case Offline, connect.Ollama:
		return nil
	case connect.OpenAI:
		if o.Model() == "" {
			return usererr.New("Name the model that the server has.", "an OpenAI-compatible server has no default model: %s is missing", usererr.Option("mllm-model"))
		}
		return nil
	}
	return usererr.New("Use ollama, openai (any OpenAI-compatible server), or offline.", "unknown %s %q", usererr.Option("mllm"), o.MLLM)
}

// Each returns the options once for every model with every prompt.
func (o Options) Each() []Options {
	var all []Options
	for _, model := range orDefault(o.Models) {
		for _, prompts := range orDefault(o.Prompts) {
			one := o
			one.Models, one.Prompts = model, prompts
			all = append(all, one)
		}
	}
	return all
}

// orDefault returns lists of one, or one empty list where nothing is given.
func orDefault(given []string) [][]string {
	if len(given) == 0 {
		return [][]string{nil}
	}
	var all [][]string
	for _, one := range given {
		all = append(all, []string{one})
	}
	return all
}

// Model is the name of the model that is asked.
func (o Options) Model() string {
	switch {
	case len(o.Models) > 0:
		return o.Models[0]
	case o.MLLM == connect.Ollama:
		return ollama.DefaultModel
	}
	return ""
}

// Label names the writer for people, in columns and addresses.
func (o Options) Label() string {
	if o.MLLM == Offline {
		return Offline
	}
	return strings.Join(append([]string{o.Model()}, o.Prompts...), " ")
}

// Free reports whether answers cost nothing to make again.
func (o Options) Free() bool { return o.MLLM == Offline }

// PriceTable returns the table that costs are reckoned by; nil for a local server's, which
// are nothing unless the user says otherwise.
func (o Options) PriceTable() (*mllm.PriceTable, error) {
	switch {
	case o.Servers.Prices != "":
		return mllm.LoadPrices(o.Servers.Prices)
	case o.MLLM == connect.Ollama && o.Servers.MaxCost == 0:
		return nil, nil
	}
	return mllm.DefaultPrices(), nil
}

// Writer returns the options of the describer and the reasoner of a model server.
func (o Options) Writer(long LongHistories, conclusions writer.ConclusionStore) (writer.Options, error) {
	folder := ""
	if len(o.Prompts) > 0 {
		folder = o.Prompts[0]
	}
	prompts, err := prompt.Load(folder)
	if err != nil {
		return writer.Options{}, err
	}
	var script check.Script
	if o.Answers.Script != "" {
		if script, err = check.ParseScript(o.Answers.Script); err != nil {
			return writer.Options{}, err
		}
	}
	var think *bool
	if o.Answers.Think != "" {
		on := o.Answers.Think == "on"
		think = &on
	}
	extra := o.Answers.Extra
	if members, err := openai.Extra(extra); err != nil {
		return writer.Options{}, err
	} else if extra != "" { // in one spelling, since answers are known by it
		text, err := json.Marshal(members)
		if err != nil {
			return writer.Options{}, fmt.Errorf("write the extra members of a request: %w", err)
		}
		extra = string(text)
	}
	return writer.Options{Model: o.Model(), Think: think, Extra: extra, Prompts: prompts, Limits: prompt.Options{Words: o.Answers.Words}, Temperature: o.Answers.Temperature, Seed: o.Answers.Seed,
		MaxTokens: o.Answers.MaxTokens, NumCtx: o.Answers.NumCtx, Timeout: o.Servers.Timeout, Script: script, Window: long.Window,
		History: writer.History(long.History), LatestN: long.LatestN, Conclusions: conclusions}, nil
}

// connect makes the pool of servers.
func (o Options) connect(prices *mllm.PriceTable) (*mllm.Pool, error) {
	picture, listed := prices.PictureTokens(o.Model())
	if !listed {
		picture = 0 // the client's own guess
	}
	s := o.Servers
	return connect.Pool(connect.Options{PerImage: picture, Kind: o.MLLM, URLs: s.BaseURLs, KeyEnv: s.KeyEnv, Concurrency: s.Concurrency,
		RPM: s.RPM, TPM: s.TPM, Timeout: s.Timeout, KeepAlive: s.KeepAlive,
		Body: openai.BodyOptions{CompletionTokens: s.Completion, OmitSampling: s.NoSampling},
		Pool: mllm.PoolOptions{Budget: mllm.Budget{MaxCost: s.MaxCost, MaxTime: time.Duration(s.MaxHours * float64(time.Hour)), Prices: prices}}})
}

// IsPostgres reports whether an address is that of a shared ledger.
func IsPostgres(address string) bool {
	return strings.HasPrefix(address, "postgres://") || strings.HasPrefix(address, "postgresql://")
}

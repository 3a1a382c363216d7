package cli

import (
	"time"

	"github.com/spf13/cobra"

	"github.com/mllmrec/mllmrec/internal/pipeline"
	"github.com/mllmrec/mllmrec/internal/usererr"
)

// authorFlags collects who writes the texts.
type authorFlags struct {
	opt     pipeline.AuthorOptions
	hours   float64
	models  []string
	prompts []string
	several bool // models and prompts may be several, for a sample
}

// addAuthorFlags defines the flags of a command about texts; model is the name of the
// flag for the MLLM's, which elsewhere may mean the recommender's.
func addAuthorFlags(cmd *cobra.Command, model string) *authorFlags {
	f := &authorFlags{}
	f.addPrompting(cmd, model)
	f.addContext(cmd)
	f.addSampling(cmd)
	f.addServers(cmd)
	f.addSharing(cmd)
	return f
}

// addPrompting defines what decides the words that are sent.
func (f *authorFlags) addPrompting(cmd *cobra.Command, model string) {
	o, flags := &f.opt, cmd.Flags()
	flags.StringVar(&o.MLLM, "mllm", "ollama", "who writes: ollama, openai (any OpenAI-compatible server), or offline (pixels measured, preferences extracted, no model)")
	flags.StringArrayVar(&f.models, model, nil, "the multimodal model (ollama: gemma3:27b unless given)")
	flags.StringArrayVar(&f.prompts, "prompts", nil, "prompt template, or folder of them, to use in place of the built-in ones ('mllmrec prompt templates' writes those)")
	flags.IntVar(&o.Words, "words", 0, "word limit of an answer (default 100)")
	flags.IntVar(&o.MaxTokens, "max-tokens", 0, "longest answer (default: 5 for each word of the limit)")
}

func (f *authorFlags) addContext(cmd *cobra.Command) {
	cmd.Flags().IntVar(&f.opt.NumCtx, "num-ctx", 0, "context window to ask of Ollama (default: by each prompt's length)")
}

// addSampling defines how answers are drawn and which are good.
func (f *authorFlags) addSampling(cmd *cobra.Command) {
	o, flags := &f.opt, cmd.Flags()
	flags.StringVar(&o.Script, "script", "", "writing system that answers must be in: Latin, Cyrillic, Han, Japanese, …")
	flags.Float64Var(&o.Temperature, "temperature", 0, "of the model; 0 = greedy")
	flags.Int64Var(&o.Seed, "model-seed", 0, "of the model's sampling")
}

// addAddress defines how servers are reached.
func (f *authorFlags) addAddress(cmd *cobra.Command) {
	o, flags := &f.opt, cmd.Flags()
	flags.StringArrayVar(&o.BaseURLs, "base-url", nil, "where the server is (ollama: http://localhost:11434); again for more servers, with settings of each behind a #: http://gpu1:11434#weight=2&concurrency=8")
	flags.StringVar(&o.KeyEnv, "api-key-env", "", "environment variable that holds the server's key (openai: OPENAI_API_KEY, if it is set)")
}

// addServers defines how servers are reached and what is asked of them at most: nothing
// of it has a part in what they answer.
func (f *authorFlags) addServers(cmd *cobra.Command) {
	f.addAddress(cmd)
	o, flags := &f.opt, cmd.Flags()
	flags.IntVar(&o.Concurrency, "concurrency", 0, "requests in flight, a server (default 4; offline: pictures measured at a time, 8)")
	flags.Float64Var(&o.RPM, "rpm", 0, "most requests a minute, a server")
	flags.Float64Var(&o.TPM, "tpm", 0, "most tokens a minute, a server")
	flags.DurationVar(&o.Timeout, "timeout", 0, "of one request (ollama: 10m, openai: 5m)")
	flags.StringVar(&o.KeepAlive, "keep-alive", "", "how long Ollama keeps the model loaded, such as 30m")
	flags.Float64Var(&o.MaxCost, "max-cost", 0, "stop before this process costs more, in the price table's currency")
	flags.Float64Var(&f.hours, "max-hours", 0, "stop after so many hours")
	flags.StringVar(&o.Prices, "prices", "", "price table to use in place of the built-in one ('mllmrec prompt prices' prints that)")
}

// addSharing defines where answers are kept and who asks.
func (f *authorFlags) addSharing(cmd *cobra.Command) {
	f.addStore(cmd)
	o, flags := &f.opt, cmd.Flags()
	flags.IntVar(&o.Attempts, "attempts", 0, "how often a question is asked whose answer is no good, before it is quarantined (default 3)")
	flags.BoolVar(&o.Workers, "workers", false, "with --store postgres://…: let 'mllmrec worker' processes ask, and wait for them")
}

func (f *authorFlags) addStore(cmd *cobra.Command) {
	cmd.Flags().StringVar(&f.opt.Store, "store", "", "postgres:// address of a ledger shared by many machines (default: generations.db in the workspace)")
}

func (f *authorFlags) addLimit(cmd *cobra.Command) {
	cmd.Flags().IntVar(&f.opt.Limit, "limit", 0, "ask about at most so many; the others stay for the next run")
}

func (f *authorFlags) addPictures(cmd *cobra.Command) {
	f.addPictureSources(cmd)
	cmd.Flags().IntVar(&f.opt.Pictures.LongSide, "image-long-side", 0, "pixels of a picture's longer side as it is sent (default 896)")
}

// addPictureSources defines where pictures may come from.
func (f *authorFlags) addPictureSources(cmd *cobra.Command) {
	p := &f.opt.Pictures
	cmd.Flags().StringVar(&p.Dir, "image-dir", "", "folder with <item id>.jpg, .png, .webp or .gif; wins over what the catalogue names")
	cmd.Flags().BoolVar(&p.AllowPrivate, "allow-private-images", false, "also download pictures from this machine and private networks")
	cmd.Flags().DurationVar(&p.Timeout, "image-timeout", 0, "of the download of one picture (default 30s)")
}

func (f *authorFlags) addHistories(cmd *cobra.Command) {
	o := &f.opt
	cmd.Flags().IntVar(&o.Window, "window", 0, "tokens that a prompt and its answer must fit into (default 16384, or what the model can read)")
	cmd.Flags().StringVar(&o.LongHistory, "long-history", "", "histories over the window: recurrent (read in parts, in time order; the default) or latest (the latest items that fit)")
	cmd.Flags().IntVar(&o.LatestN, "latest", 0, "with --long-history latest: show at most so many items")
}

// options returns the options after checks that need no server.
func (f *authorFlags) options() (pipeline.AuthorOptions, error) {
	switch {
	case f.opt.Limit < 0:
		return f.opt, usererr.New("Leave it out for all.", "--limit %d", f.opt.Limit)
	case f.opt.Concurrency < 0:
		return f.opt, usererr.New("Leave it out for the default.", "--concurrency %d", f.opt.Concurrency)
	case f.opt.Attempts < 0:
		return f.opt, usererr.New("Leave it out for the default.", "--attempts %d", f.opt.Attempts)
	case !(f.hours >= 0 && f.hours < 1e6):
		return f.opt, usererr.New("Leave it out for no limit.", "--max-hours %v", f.hours)
	case !(f.opt.MaxCost >= 0):
		return f.opt, usererr.New("Leave it out for no limit.", "--max-cost %v", f.opt.MaxCost)
	}
	for _, list := range []struct {
		name  string
		given []string
		into  *string
	}{{"model", f.models, &f.opt.Model}, {"prompts", f.prompts, &f.opt.Prompts}} {
		switch {
		case len(list.given) > 1 && !f.several:
			return f.opt, usererr.New("Only --sample of describe and reason takes several.", "--%s is given %d times", list.name, len(list.given))
		case len(list.given) > 0:
			*list.into = list.given[0]
		}
	}
	f.opt.MaxTime = time.Duration(f.hours * float64(time.Hour))
	return f.opt, nil
}

// each returns the options once for every model with every prompt.
func (f *authorFlags) each() []pipeline.AuthorOptions {
	var all []pipeline.AuthorOptions
	for _, model := range or(f.models) {
		for _, prompts := range or(f.prompts) {
			o := f.opt
			o.Model, o.Prompts = model, prompts
			all = append(all, o)
		}
	}
	return all
}

// or stands for the default where nothing is given.
func or(given []string) []string {
	if len(given) == 0 {
		return []string{""}
	}
	return given
}

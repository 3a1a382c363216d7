package cli

import (
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/mllmrec/mllmrec/internal/encoder"
	"github.com/mllmrec/mllmrec/internal/encoder/hub"
	"github.com/mllmrec/mllmrec/internal/pipeline"
	"github.com/mllmrec/mllmrec/internal/usererr"
	"github.com/mllmrec/mllmrec/internal/workspace"
)

// encoderFlags say how texts become vectors.
type encoderFlags struct {
	cmd                    *cobra.Command
	prefix                 string // before the flags' names, where they would mean something else
	opt                    pipeline.EncodeOptions
	itemPrefix, userPrefix string
}

// servers are the encoders behind an address.
var servers = []string{"openai", "ollama", "tei"}

// encoderFlagUse names the encoders that each flag has an effect on.
var encoderFlagUse = []struct {
	name string
	used []string
}{
	{"model", append([]string{pipeline.MiniLM}, servers...)},
	{"base-url", servers},
	{"long", []string{pipeline.MiniLM, "ollama", "tei"}},
	{"batch", servers},
	{"concurrency", servers},
	{"api-key-env", servers},
	{"item-prefix", append([]string{pipeline.MiniLM}, servers...)},
	{"user-prefix", append([]string{pipeline.MiniLM}, servers...)},
	{"prefix", append([]string{pipeline.MiniLM}, servers...)},
}

// encodeFlags registers the flags for a workspace's texts, with prefix before the names
// that the command has for something else.
func encodeFlags(cmd *cobra.Command, prefix string) *encoderFlags {
	f := registerEncoder(cmd, prefix, pipeline.LSA)
	flags := cmd.Flags()
	flags.IntVar(&f.opt.Dim, "dim", 384, "lsa: dimensions of a vector")
	flags.Uint64Var(&f.opt.Seed, "encoder-seed", 1, "lsa: of the randomized SVD")
	flags.StringVar(&f.itemPrefix, prefix+"item-prefix", "", "put before item texts, such as 'passage: ' for E5 (default: the model's own prompt)")
	flags.StringVar(&f.userPrefix, prefix+"user-prefix", "", "put before preference texts and sentences, such as 'query: ' for E5 (default: the model's own prompt)")
	return f
}

func registerEncoder(cmd *cobra.Command, prefix, standard string) *encoderFlags {
	f := &encoderFlags{cmd: cmd, prefix: prefix}
	flags := cmd.Flags()
	flags.StringVar(&f.opt.Encoder, "encoder", standard, "text encoder: lsa (fitted on the item texts, nothing to download), minilm (sentence encoder run here), or a server: openai, ollama, tei")
	flags.StringVar(&f.opt.Model, prefix+"model", "", "minilm: folder of a model or its name on the hub (default "+hub.DefaultModel+"); servers: name of the model")
	flags.StringVar(&f.opt.BaseURL, prefix+"base-url", "", "servers: address, for openai with /v1 (default for ollama: http://localhost:11434)")
	flags.StringVar(&f.opt.Long, prefix+"long", "", "texts longer than the model reads: truncate (cut, counted; minilm's default), mean (minilm: average of windows); servers refuse them unless truncate is given")
	flags.IntVar(&f.opt.Batch, prefix+"batch", 0, "servers: texts a request (default 32)")
	flags.IntVar(&f.opt.Concurrency, prefix+"concurrency", 0, "servers: requests in flight (default 4)")
	flags.StringVar(&f.opt.APIKeyEnv, prefix+"api-key-env", "", "servers: name of the environment variable that holds the API key")
	return f
}

// options returns what the flags ask for. A flag that the encoder has no use for is an
// error.
func (f *encoderFlags) options() (pipeline.EncodeOptions, error) {
	opt := f.opt
	if !slices.Contains(encoder.Names(), opt.Encoder) {
		return opt, opt.Check()
	}
	for _, u := range encoderFlagUse {
		if err := f.refuse(f.prefix+u.name, u.used); err != nil {
			return opt, err
		}
	}
	for _, name := range []string{"dim", "encoder-seed"} {
		if err := f.refuse(name, []string{pipeline.LSA}); err != nil {
			return opt, err
		}
	}
	if f.changed("dim") && opt.Dim < 1 {
		return opt, usererr.New("", "--dim must be at least 1, not %d", opt.Dim)
	}
	if opt.Encoder != pipeline.LSA {
		opt.Dim, opt.Seed = 0, 0
	}
	if f.changed(f.prefix + "item-prefix") {
		opt.ItemPrefix = &f.itemPrefix
	}
	if f.changed(f.prefix + "user-prefix") {
		opt.UserPrefix = &f.userPrefix
	}
	if slices.Contains(servers, opt.Encoder) && opt.Encoder != "ollama" && opt.BaseURL == "" {
		return opt, usererr.New("For example --"+f.prefix+"base-url http://localhost:8080.", "encoder %s needs --%sbase-url", opt.Encoder, f.prefix)
	}
	if (opt.Encoder == "openai" || opt.Encoder == "ollama") && opt.Model == "" {
		return opt, usererr.New("Name an embedding model that the server has.", "encoder %s needs --%smodel", opt.Encoder, f.prefix)
	}
	return opt, opt.Check()
}

func (f *encoderFlags) changed(name string) bool {
	flag := f.cmd.Flags().Lookup(name)
	return flag != nil && flag.Changed
}

func (f *encoderFlags) refuse(name string, used []string) error {
	if !f.changed(name) || slices.Contains(used, f.opt.Encoder) {
		return nil
	}
	return usererr.New("It belongs to: "+strings.Join(used, ", ")+".", "--%s has no effect with --encoder %s", name, f.opt.Encoder)
}

func (a *app) encodeCmd() *cobra.Command {
	var force bool
	cmd := &cobra.Command{
		Use:   "encode WS",
		Short: "Turn texts into vectors (Eq. 5, 13)",
		Long: `Encode turns item texts and preference texts into vectors of one space.

  lsa      fitted on the item texts: no model, no download, fast (the default)
  minilm   the paper's sentence encoder, all-MiniLM-L6-v2, run in this program; --model takes
           any BERT model in Sentence-Transformers form: MiniLM, BGE, E5, GTE
  openai, ollama, tei
           an embedding server at --base-url

Vectors of minilm and of servers are kept by text in the workspace: only texts that
changed are encoded again, and a stopped call goes on where it was.

Models trained for search want a prefix: items are passages, preferences are queries.
Prompts that the model's own files define are used; --item-prefix and --user-prefix
say otherwise.`,
		Example: `  mllmrec model pull sentence-transformers/all-MiniLM-L6-v2
  mllmrec encode shop.ws --encoder minilm
  mllmrec encode shop.ws --encoder minilm --model ./e5-small-v2 --item-prefix 'passage: ' --user-prefix 'query: '
  mllmrec encode shop.ws --encoder ollama --model nomic-embed-text`,
		Args: cobra.ExactArgs(1),
	}
	enc := encodeFlags(cmd, "")
	cmd.Flags().BoolVar(&force, "force", false, "encode anew though the vectors are fresh, or replace imported ones")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		opt, err := enc.options()
		if err != nil {
			return err
		}
		p, release, err := a.openForWriting(args[0], force)
		if err != nil {
			return err
		}
		defer release()
		if err := p.Encode(cmd.Context(), opt); err != nil {
			return err
		}
		return a.printStage(p, workspace.StageEncode)
	}
	return cmd
}

// printStage prints, for machines, how a stage stands; people have seen its progress
// line.
func (a *app) printStage(p *pipeline.Pipeline, name string) error {
	st, ok := p.WS.Manifest().Stages[name]
	if !ok {
		return fmt.Errorf("stage %s left no record", name)
	}
	if !a.json {
		return nil
	}
	return a.emit(map[string]any{"stage": name, "finished": st.Finished, "seconds": st.Seconds, "provenance": st.Provenance,
		"leaky": st.Leaky, "options": st.Options, "info": st.Info, "outputs": st.Outputs})
}

package cli

import (
	"github.com/spf13/cobra"

	"github.com/mllmrec/mllmrec/internal/encoder"
	"github.com/mllmrec/mllmrec/internal/option"
	"github.com/mllmrec/mllmrec/internal/stage"
	"github.com/mllmrec/mllmrec/internal/stage/encoding"
	"github.com/mllmrec/mllmrec/internal/workspace"
)

func (a *app) encodeCmd() *cobra.Command {
	var force bool
	var opt encoder.Options
	cmd := &cobra.Command{
		Use:   "encode WS",
		Short: "Turn texts into vectors (Eq. 5, 13)",
		Long: `Encode turns item texts and preference texts into vectors of one space.

  lsa      fitted on the item texts: no model, no download, fast (the default)
  minilm   the paper's sentence encoder, all-MiniLM-L6-v2, run in this program; --encoder-model
           takes others in Sentence-Transformers form: BERT (MiniLM, BGE, E5, GTE), MPNet,
           RoBERTa, XLM-RoBERTa (multilingual), DistilBERT, static embeddings (model2vec)
  openai, ollama, tei
           an embedding server at --encoder-base-url

Vectors of several encoders stay side by side. Those of minilm and of servers are kept by
text in the workspace: only texts that changed are encoded again, and a stopped call goes
on where it was.

Models trained for search want a prefix: items are passages, preferences are queries.
Prompts that the model's own files define are used; --encoder-item-prefix and
--encoder-user-prefix say otherwise.`,
		Example: `  mllmrec model pull sentence-transformers/all-MiniLM-L6-v2
  mllmrec encode shop.ws --encoder minilm
  mllmrec encode shop.ws --encoder minilm --encoder-model ./e5-small-v2 --encoder-item-prefix 'passage: ' --encoder-user-prefix 'query: '
  mllmrec encode shop.ws --encoder ollama --encoder-model nomic-embed-text`,
		Args: cobra.ExactArgs(1),
	}
	set := option.Of(&opt)
	cmd.Flags().BoolVar(&force, "force", false, "encode anew though the vectors are fresh, or replace imported ones")
	bind(cmd, set)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if err := a.check(set); err != nil {
			return err
		}
		return a.make(cmd, args[0], force, func(s *stage.Session) ([]stage.Stage, error) {
			if err := refuseTexts(s.WS, workspace.StageEncode, force); err != nil {
				return nil, err
			}
			items, users, err := encoding.New(opt)
			return []stage.Stage{items, users}, err
		})
	}
	return cmd
}

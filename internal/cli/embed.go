package cli

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/mllmrec/mllmrec/internal/encoder"
	"github.com/mllmrec/mllmrec/internal/option"
	"github.com/mllmrec/mllmrec/internal/usererr"
)

const (
	embedBatch = 256     // most texts encoded at a time
	maxLine    = 4 << 20 // bytes of a text
	lineBuffer = 1 << 20
)

func (a *app) embedCmd() *cobra.Command {
	var prefix string
	var opt encoder.Options
	cmd := &cobra.Command{
		Use:   "embed",
		Short: "Vectors of texts: one text a line in, one JSON array a line out",
		Long: `Embed reads texts from standard input, one a line, and writes their vectors to standard
output, one JSON array of numbers a line, in the same order. An empty line is an empty
text. Vectors appear as soon as the texts at hand are encoded, so that it serves at the
end of a pipe that stays open.`,
		Example: `  mllmrec embed --encoder minilm --encoder-model ./all-MiniLM-L6-v2 <texts.txt >vectors.jsonl
  mllmrec embed --encoder tei --encoder-base-url http://localhost:8080 --prefix 'query: ' <queries.txt`,
		Args: cobra.NoArgs,
	}
	set := option.Of(&opt)
	set.SetDefault("encoder", encoder.MiniLM)
	cmd.Flags().StringVar(&prefix, "prefix", "", "text before each text, such as 'query: ' for E5 (default: the model's default prompt)")
	bind(cmd, set, "dim", "encoder-seed", "encoder-item-prefix", "encoder-user-prefix")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		if err := a.check(set); err != nil {
			return err
		}
		if cmd.Flags().Changed("prefix") {
			if opt.Encoder == encoder.LSA {
				return usererr.New("Leave it out.", "--prefix has no effect with --encoder lsa")
			}
			opt.ItemPrefix = &prefix
		}
		enc, err := encoder.OpenStandalone(cmd.Context(), opt)
		if err != nil {
			return err
		}
		return embed(cmd.Context(), enc, cmd.InOrStdin(), a.stdout)
	}
	return cmd
}

// embed encodes lines until the end of r. Batches are as large as what has arrived.
func embed(ctx context.Context, enc encoder.Encoder, r io.Reader, w io.Writer) error {
	in := bufio.NewReaderSize(r, lineBuffer)
	out := bufio.NewWriter(w)
	var texts []string
	first := 1
	flush := func() error {
		if len(texts) == 0 {
			return nil
		}
		if err := writeVectors(ctx, enc, texts, out); err != nil {
			return fmt.Errorf("lines %d to %d: %w", first, first+len(texts)-1, err)
		}
		first += len(texts)
		texts = texts[:0]
		return nil
	}
	for {
		line, err := readLine(in)
		if first == 1 && len(texts) == 0 && err == nil {
			if strings.ContainsRune(line, 0) || strings.HasPrefix(line, "\xff\xfe") || strings.HasPrefix(line, "\xfe\xff") {
				return usererr.New("Give the texts as UTF-8; in PowerShell, set $OutputEncoding = [Text.UTF8Encoding]::new().", "the texts are UTF-16")
			}
			line = strings.TrimPrefix(line, "\ufeff")
		}
		if errors.Is(err, io.EOF) {
			return flush()
		}
		if err != nil {
			before := flush()
			return errors.Join(before, fmt.Errorf("line %d: %w", first, err))
		}
		texts = append(texts, line)
		if len(texts) == embedBatch || !lineWaits(in) {
			if err := flush(); err != nil {
				return err
			}
		}
	}
}

func writeVectors(ctx context.Context, enc encoder.Encoder, texts []string, out *bufio.Writer) error {
	x, err := enc.Encode(ctx, texts)
	if err != nil {
		return err
	}
	for i := range texts {
		raw, err := json.Marshal(x.Row(i))
		if err != nil {
			return err
		}
		if _, err := out.Write(append(raw, '\n')); err != nil {
			return fmt.Errorf("write vectors: %w", err)
		}
	}
	if err := out.Flush(); err != nil {
		return fmt.Errorf("write vectors: %w", err)
	}
	return nil
}

// lineWaits reports whether a whole line can be read without waiting.
func lineWaits(in *bufio.Reader) bool {
	waiting, err := in.Peek(in.Buffered())
	return err == nil && bytes.IndexByte(waiting, '\n') >= 0
}

// readLine returns the next line without its end; io.EOF when there is none.
func readLine(in *bufio.Reader) (string, error) {
	var line []byte
	for {
		part, err := in.ReadSlice('\n')
		line = append(line, part...)
		switch {
		case len(line) > maxLine:
			return "", usererr.New("Texts are separated by line breaks.", "a text of more than %d bytes", maxLine)
		case errors.Is(err, bufio.ErrBufferFull):
			continue
		case errors.Is(err, io.EOF) && len(line) > 0, err == nil:
			return strings.TrimSuffix(strings.TrimSuffix(string(line), "\n"), "\r"), nil
		default:
			return "", err
		}
	}
}

package batch

import (
	"encoding/json"
	"fmt"
	"io"

	"github.com/mllmrec/mllmrec/internal/mllm"
	"github.com/mllmrec/mllmrec/internal/mllm/openai"
)

// WriteChat writes one pair of a request and its answer as a line of chat JSONL:
// {"messages": [system, user, assistant]}. It embeds the pictures of
// the request as data URIs.
func WriteChat(w io.Writer, r mllm.Request, answer string) error {
	messages := append(openai.Messages(r, ""), openai.Message{Role: "assistant", Content: answer})
	data, err := json.Marshal(map[string]any{"messages": messages})
	if err != nil {
		return fmt.Errorf("encode a chat: %w", err)
	}
	if _, err := w.Write(append(data, '\n')); err != nil {
		return fmt.Errorf("write a chat: %w", err)
	}
	return nil
}

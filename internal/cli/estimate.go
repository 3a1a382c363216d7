package cli

import (
	"fmt"
	"io"

	"github.com/mllmrec/mllmrec/internal/texts/writer"
)

// writeEstimate writes what a stage would cost, for a person to read.
func writeEstimate(w io.Writer, e writer.Estimate) error {
	out := fmt.Sprintf("%-15s %s\n%-15s %d, in %d calls\n", "model", e.Model, "requests", e.Requests, e.Calls)
	if e.Recurrent > 0 {
		out += fmt.Sprintf("%-15s %d histories do not fit the window and are read in parts\n", "", e.Recurrent)
	}
	if e.Shortened > 0 {
		out += fmt.Sprintf("%-15s of %d histories only the latest items are shown, %d items are not\n", "", e.Shortened, e.ItemsDropped)
	}
	out += fmt.Sprintf("%-15s %d\n", "prompt tokens", e.PromptTokens)
	if e.ImageTokens > 0 {
		out += fmt.Sprintf("%-15s %d%s\n", "picture tokens", e.ImageTokens, map[bool]string{false: " (a guess: the price table does not list the model's pictures)"}[e.PicturesOK])
	}
	out += fmt.Sprintf("%-15s %d, at most %d\n", "answer tokens", e.AnswerTokens, e.AnswerTokensMost)
	switch {
	case !e.Priced:
		out += fmt.Sprintf("%-15s unknown: the model is not in the price table\n", "cost")
	case e.CostMost == 0:
		out += fmt.Sprintf("%-15s nothing, electricity and hardware apart\n", "cost")
	default:
		out += fmt.Sprintf("%-15s %.2f %s, at most %.2f, by prices of %s: check them\n", "cost", e.Cost, e.Currency, e.CostMost, e.PricesAsOf)
	}
	if e.Hours > 0 {
		out += fmt.Sprintf("%-15s %.1f hours with %d requests in flight\n", "time", e.Hours, e.Concurrency)
	}
	if _, err := io.WriteString(w, out); err != nil {
		return fmt.Errorf("write the estimate: %w", err)
	}
	return nil
}

package mllm

import "testing"

// A word that is not known to be a clean end is none, in whatever notation.
func TestEndings(t *testing.T) {
	for word, want := range map[string]Class{
		"": "", "stop": "", "STOP": "", "end_turn": "", "eos": "", "stop_sequence": "", "FinishReason.STOP": "", "FINISH_REASON_STOP": "", "completed": "",
		"length": CutOff, "max_tokens": CutOff, "MAX_TOKENS": CutOff, "maxTokens": CutOff, "FinishReason.MAX_TOKENS": CutOff, "model_length": CutOff,
		"model_context_window_exceeded": CutOff, "max_output_tokens": CutOff, "incomplete": CutOff,
		"content_filter": Refused, "sensitive": Refused, "SAFETY": Refused, "PROHIBITED_CONTENT": Refused, "guardrail_intervened": Refused, "refusal": Refusal,
		"error": CutOff, "network_error": CutOff, "abort": CutOff, "insufficient_system_resource": CutOff, "unload": CutOff, "cancelled": CutOff,
		"tool_calls": Empty, "function_call": Empty, "MALFORMED_FUNCTION_CALL": Empty,
		"weather": CutOff, "stopped_by_operator": CutOff, "-": CutOff, "stop?": CutOff,
	} {
		if got, why := Ending(word); got != want || (got == "") != (why == "") {
			t.Errorf("%q is %q (%s), want %q", word, got, why, want)
		}
	}
}

package check

import (
	"strings"
	"testing"
)

// TestReasoningAndControlTokensAreRemoved has the notations of models in use, each as a
// server passes it on: whole, with its opening mark in the prompt, and cut off.
func TestReasoningAndControlTokensAreRemoved(t *testing.T) {
	const answer = "This customer likes oak shelves and blue mugs."
	for name, in := range map[string]string{
		"DeepSeek R1":                 "<think>\nThe list has oak.\n</think>\n\n" + answer,
		"two stretches":               "<think>a</think>This customer likes <think>b</think>oak shelves and blue mugs.",
		"capitals and attributes":     `<Think budget="200">hm</THINK>` + answer,
		"thought":                     "<thought>hm</thought>" + answer,
		"Seed-OSS":                    "<seed:think>hm <seed:cot_budget_reflect>used 20</seed:cot_budget_reflect></seed:think>" + answer,
		"LongCat":                     "<longcat_think>hm</longcat_think>" + answer,
		"Magistral":                   "[THINK]hm[/THINK]" + answer,
		"Magistral, opened in prompt": "hm[/THINK]" + answer,
		"Kimi-VL":                     "◁think▷hm◁/think▷" + answer,
		"Kimi-VL, opened in prompt":   "hm◁/think▷" + answer,
		"OpenThinker":                 "<|begin_of_thought|>hm<|end_of_thought|>\n\n<|begin_of_solution|>" + answer + "<|end_of_solution|>",
		"Command A":                   "<|START_THINKING|>hm<|END_THINKING|><|START_RESPONSE|>" + answer + "<|END_RESPONSE|>",
		"Gemma 4":                     "<|channel>thought\nhm<channel|>" + answer + "<turn|>",
		"gpt-oss":                     "<|channel|>analysis<|message|>The user wants…<|end|><|start|>assistant<|channel|>final<|message|>" + answer + "<|return|>",
		"gpt-oss, no end":             "<|channel|>analysis<|message|>The user wants…<|start|>assistant<|channel|>final<|message|>" + answer,
		"gpt-oss, no end, no start":   "<|channel|>analysis<|message|>The user wants…<|channel|>final<|message|>" + answer,
		"gpt-oss, commentary":         "<|channel|>commentary to=functions.x <|message|>{}<|end|><|start|>assistant<|channel|>final<|message|>" + answer,
		"gpt-oss without its tokens":  "analysisThe user wants a final answer.assistantfinal" + answer,
		"MedGemma":                    "<unused94>thought\nhm<unused95>" + answer,
		"Granite 3.2":                 "Here is my thought process: hm.\nHere is my response: " + answer,
		"Granite 3.3":                 "<think>hm</think><response>" + answer + "</response>",
		"Apriel":                      "Here are my reasoning steps:\nhm\n[BEGIN FINAL RESPONSE]\n" + answer + "\n[END FINAL RESPONSE]",
		"Hunyuan":                     "<think>\nhm\n</think>\n<answer>\n" + answer + "\n</answer>",
		"GLM-4.5V box":                "<think>hm</think><|begin_of_box|>" + answer + "<|end_of_box|>",
		"GLM box in the middle":       "This customer likes <|begin_of_box|>oak shelves<|end_of_box|> and blue mugs.",
		"Qwen-VL grounding":           "This customer likes <|object_ref_start|>oak shelves<|object_ref_end|><|box_start|>(12,30),(400,500)<|box_end|> and blue mugs.",
		"Open WebUI":                  `<details type="reasoning" done="true" duration="3"><summary>Thought</summary>hm</details>` + answer,
		"ChatML turn":                 "<|im_start|>assistant\n" + answer + "<|im_end|>",
		"ChatML, another turn":        answer + "<|im_end|>\n<|im_start|>user\nAnd now?<|im_end|>\n<|im_start|>assistant\nMore.",
		"Llama 3 header":              "<|start_header_id|>assistant<|end_header_id|>\n\n" + answer + "<|eot_id|>",
		"Gemma 3 turn":                "<start_of_turn>model\n" + answer + "<end_of_turn>\n<start_of_turn>user\nNext",
		"DeepSeek end":                answer + "<｜end▁of▁sentence｜>",
		"DeepSeek turn":               "<｜Assistant｜>" + answer,
		"Mistral":                     "[INST] " + answer + " [/INST]</s>",
		"SmolVLM":                     "<fake_token_around_image><row_1_col_2><image>" + answer + "<end_of_utterance>",
		"byte token":                  answer + "<0x0A>",
		"token around a token":        "<|x<|y|>z|>" + answer,
	} {
		if got := Clean(in); got != answer {
			t.Errorf("%s: %q", name, got)
		}
	}
}

// TestReasoningAloneIsNoAnswer has answers that end before the model answered.
func TestReasoningAloneIsNoAnswer(t *testing.T) {
	for _, in := range []string{
		"<think>The customer likes oak", "[THINK]The customer likes oak", "◁think▷The customer likes oak", "<|channel|>analysis<|message|>The customer likes oak",
		"<|channel>thought\nThe customer likes oak", "<|START_THINKING|>The customer likes oak<|END_THINKING|>", "analysisThe customer likes oak",
		"<think>all of it</think>", "<think>all of it</think>\n<answer></answer>", "<unused94>thought\nThe customer", "Here are my reasoning steps:\nThe customer likes oak",
		"<|im_end|>", "<|begin_of_box|><|end_of_box|>", "<seed:think>The customer",
	} {
		if got := Clean(in); got != "" {
			t.Errorf("%q leaves %q", in, got)
		}
	}
}

// TestAnswersThatLookMarkedAreKept has angle brackets and words of the notations in answers.
func TestAnswersThatLookMarkedAreKept(t *testing.T) {
	for _, in := range []string{
		"Analysis of the choices: oak, mostly.", "analysis of the choices: oak, mostly.", "A mug < 10 cm and > 5 cm wide.", "The final touch is a ribbon. Finally, it is blue.",
		"Likes the <b>blue</b> ones.", "Prices of 3|4 dollars <|", "Here is my thought: oak.", "A box of [INSTANT] coffee and [image] prints.", "I <3 oak.",
	} {
		if got := Clean(in); got != in {
			t.Errorf("%q became %q", in, got)
		}
	}
}

// FuzzCleanLeavesNoMarks holds for whatever a server sends.
func FuzzCleanLeavesNoMarks(f *testing.F) {
	for _, s := range []string{"<|a<|b|>|>", "<th<think>x</think>ink>y", "analysisA assistantfinalB", "[IN[INST]ST]", "<|channel|>final<|message|>x", "◁thi◁/x▷nk▷"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		got := withoutMarks(s)
		if m := controls.FindString(got) + turnEnds.FindString(got) + turnHeads.FindString(got); m != "" {
			t.Fatalf("%q keeps %q", s, m)
		}
		for _, n := range notations {
			if n.open.MatchString(got) {
				t.Fatalf("%q keeps reasoning: %q", s, got)
			}
		}
		if strings.Contains(got, "</think>") {
			t.Fatalf("%q keeps an end of reasoning: %q", s, got)
		}
	})
}

package mllm

import (
	"fmt"
	"strings"
)

// broken marks the words for a generation that the server broke off.
const broken Class = "broken-off"

// endings are the words for how a generation ended, as servers write them, without case,
// prefix and separators. A word that is not here is not known to be a clean end.
var endings = map[string]Class{
	// clean
	"stop": "", "eos": "", "eostoken": "", "endturn": "", "endofturn": "", "stopsequence": "", "stoptoken": "", "complete": "", "completed": "", "done": "", "finished": "", "normal": "", "success": "",
	// over a limit
	"length": CutOff, "maxtokens": CutOff, "maxoutputtokens": CutOff, "maxlength": CutOff, "maxnewtokens": CutOff, "tokenlimit": CutOff, "limit": CutOff, "modellength": CutOff,
	"modelcontextwindowexceeded": CutOff, "contextlengthexceeded": CutOff, "contextwindowexceeded": CutOff, "contextlength": CutOff, "truncated": CutOff, "incomplete": CutOff, "pauseturn": CutOff,
	// withheld
	"contentfilter": Refused, "contentfiltered": Refused, "filtered": Refused, "filter": Refused, "sensitive": Refused, "safety": Refused, "recitation": Refused, "blocklist": Refused, "blocked": Refused,
	"prohibitedcontent": Refused, "spii": Refused, "imagesafety": Refused, "language": Refused, "guardrailintervened": Refused, "datainspectionfailed": Refused, "risk": Refused, "toxic": Refused, "errortoxic": Refused,
	"refusal": Refusal, "refused": Refusal,
	// broken off: an answer by its HTTP status, so that the question is asked again, and not the server given up
	"error": broken, "networkerror": broken, "internalerror": broken, "servererror": broken, "insufficientsystemresource": broken, "abort": broken, "aborted": broken, "cancel": broken, "cancelled": broken, "canceled": broken,
	"timeout": broken, "timedout": broken, "load": broken, "unload": broken, "interrupted": broken, "userabort": broken, "failed": broken, "repetition": Repetition,
	// no text
	"toolcalls": Empty, "tooluse": Empty, "functioncall": Empty, "malformedfunctioncall": Empty,
}

// Ending returns the class of a generation that did not end well, with the reason in words,
// by the word that the server has for its end. A clean end, and none told, is class "".
func Ending(word string) (Class, string) {
	if word == "" {
		return "", ""
	}
	class, known := endings[plainWord(word)]
	switch {
	case !known:
		return CutOff, fmt.Sprintf("the server says that it ended with %q, which is not known to be a clean end", word)
	case class == "":
		return "", ""
	case class == broken:
		return CutOff, fmt.Sprintf("the server broke the answer off (%s)", word)
	case class == CutOff:
		return class, fmt.Sprintf("a limit ended it (%s)", word)
	case class == Refused:
		return class, fmt.Sprintf("the server's content filter withheld the answer (%s)", word)
	case class == Refusal:
		return class, fmt.Sprintf("the model declined to answer (%s)", word)
	case class == Empty:
		return class, fmt.Sprintf("the model called a tool in place of an answer (%s)", word)
	}
	return class, fmt.Sprintf("the server ended it (%s)", word)
}

// plainWord brings FinishReason.MAX_TOKENS, finish-reason-max-tokens and maxTokens together.
func plainWord(word string) string {
	word = strings.ToLower(word[strings.LastIndexAny(word, ".:/")+1:])
	word = strings.Map(func(r rune) rune {
		if r == '_' || r == '-' || r == ' ' {
			return -1
		}
		return r
	}, word)
	return strings.TrimPrefix(strings.TrimPrefix(word, "finishreason"), "stopreason")
}

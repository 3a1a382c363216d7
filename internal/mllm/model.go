package mllm

import (
	"path"
	"regexp"
	"strings"
)

var versionSuffix = regexp.MustCompile(`^[-@](v?\d[\d.-]*|latest|preview)$`)

// SameModel reports whether answered, a server's name of the model that answered, means the
// model requested as wanted. Names are compared without case. Known differences are allowed: Ollama's implied tag ("gemma3" is "gemma3:latest") and
// registry prefix, the dated version of a hosted alias ("gpt-4o" is answered by
// "gpt-4o-2024-08-06"), and the file path or file name that llama.cpp reports.
func SameModel(wanted, answered string) bool {
	w, a := canonicalModel(wanted), canonicalModel(answered)
	if w == a {
		return true
	}
	if rest, ok := strings.CutPrefix(a, w); ok && versionSuffix.MatchString(rest) {
		return true
	}
	// If only one of them is a path, its last element is the name.
	if strings.Contains(w, "/") != strings.Contains(a, "/") || strings.HasPrefix(a, "/") {
		return path.Base(w) == path.Base(a)
	}
	return false
}

func canonicalModel(name string) string {
	name = strings.ToLower(strings.TrimSpace(strings.ReplaceAll(name, `\`, "/")))
	name = strings.TrimPrefix(name, "registry.ollama.ai/")
	name = strings.TrimPrefix(name, "library/")
	name = strings.TrimSuffix(name, ".gguf")
	return strings.TrimSuffix(name, ":latest")
}

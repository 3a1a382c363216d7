//go:build !amd64 && !arm64

package tensor

func detectLevel() level { return levelGeneric }

//go:build !amd64

package tensor

func detectLevel() level { return levelGeneric }

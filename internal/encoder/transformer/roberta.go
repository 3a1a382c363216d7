package transformer

// roberta is BERT with other positions (Liu et al. 2019, arXiv:1907.11692); XLM-RoBERTa
// (arXiv:1911.02116) and CamemBERT are it in other languages.
var roberta = architecture{
	prefixes:   []string{"roberta."},
	embeddings: bert.embeddings,
	layer:      bert.layer,
	padded:     true,
}

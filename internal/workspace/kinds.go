package workspace

import "slices"

// Kind says what an artefact is.
type Kind string

// The kinds of artefacts, each after those that it can be made from.
const (
	KindData        Kind = "data"         // the imported catalogue, users and interactions
	KindItemTexts   Kind = "item-texts"   // what is written of each item
	KindUserTexts   Kind = "user-texts"   // what is written of each user's preference
	KindItemVectors Kind = "item-vectors" // item texts as vectors, and the encoder that made them; of other modalities see [ItemVectorsOf]
	KindUserVectors Kind = "user-vectors" // preference texts as vectors
	KindItemGraph   Kind = "item-graph"   // the refined item–item graph
	KindRun         Kind = "run"          // one training of one model
	KindEvaluation  Kind = "evaluation"   // metrics of one run
)

// kinds returns all kinds but those of modalities, each after those that it can be made from.
func kinds() []Kind {
	return []Kind{KindData, KindItemTexts, KindUserTexts, KindItemVectors, KindUserVectors, KindItemGraph, KindRun, KindEvaluation}
}

// DataAddress is the address of the one artefact of KindData. Its files stand in the
// workspace's own folder.
const DataAddress = "data"

// folders hold the artefacts of each kind.
var folders = map[Kind]string{
	KindItemTexts: "texts", KindUserTexts: "texts", KindItemVectors: "features", KindUserVectors: "features",
	KindItemGraph: "graphs", KindRun: RunsFolder, KindEvaluation: "evaluations",
}

func folderOf(kind Kind) string {
	if _, ok := kind.modality(); ok {
		kind = KindItemVectors
	}
	return folders[kind]
}

func known(kind Kind) bool {
	_, ok := kind.modality()
	return ok || slices.Contains(kinds(), kind)
}

// Names of files inside artefacts.
const (
	ItemTextsFile   = "items.parquet"
	UserTextsFile   = "users.parquet"
	ItemVectorsFile = "items.npy"
	UserVectorsFile = "users.npy"
	EncoderFile     = "encoder.json"    // what made the vectors, and how to open it again
	LSAFile         = "lsa.safetensors" // the fitted encoder, where it is LSA
	ItemGraphFile   = "item.npz"
	EvaluationFile  = "evaluation.json"

	RunConfigFile  = "config.json"
	RunMetricsFile = "metrics.json"
	RunModelFile   = "model.safetensors" // weights of the best epoch
	RunItemsFile   = "items.npy"
	RunUsersFile   = "users.npy"
)

// The stages that make artefacts, by the names that people know them by.
const (
	StageImport   = "import"
	StageDescribe = "describe"
	StageReason   = "reason"
	StageEncode   = "encode"
	StageGraph    = "graph"
	StageTrain    = "train"
	StageEvaluate = "evaluate"
)

// Stages returns the names of all stages, each after those that it builds on.
func Stages() []string {
	return []string{StageImport, StageDescribe, StageReason, StageEncode, StageGraph, StageTrain, StageEvaluate}
}

// KindsOf returns what a stage makes, but for the vectors of modalities, which are imported.
func KindsOf(stage string) []Kind {
	return map[string][]Kind{
		StageImport: {KindData}, StageDescribe: {KindItemTexts}, StageReason: {KindUserTexts}, StageEncode: {KindItemVectors, KindUserVectors},
		StageGraph: {KindItemGraph}, StageTrain: {KindRun}, StageEvaluate: {KindEvaluation},
	}[stage]
}

// Provenance values of an [Artefact]: which interactions the signal behind it saw.
const (
	ProvenanceTrainOnly = "train-only"
	ProvenanceLeaky     = "leaky"
	ProvenanceUnknown   = "unknown"
)

package workspace

// Names of files inside a run's folder, runs/<id>. What stands in them is package
// pipeline's.
const (
	RunConfigFile  = "config.json"
	RunMetricsFile = "metrics.json"
	RunLogFile     = "log.jsonl"
	RunModelFile   = "model.safetensors" // weights of the best epoch
	RunLastFile    = "last.safetensors"  // state of the last epoch, to resume from
	RunItemsFile   = "items.npy"
	RunUsersFile   = "users.npy"
)

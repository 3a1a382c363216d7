// Command mllmrec takes a catalogue and its clicks to ranked recommendations.
package main

import (
	"os"

	"github.com/mllmrec/mllmrec/internal/cli"
)

func main() { os.Exit(cli.Main(os.Args[1:], os.Stdout, os.Stderr)) }

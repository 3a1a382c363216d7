// Command reference writes docs/reference/commands and the man pages from the command
// tree; make reference and make man call it.
package main

import (
	"flag"
	"fmt"
	"os"

	"github.com/mllmrec/mllmrec/internal/cli"
)

func main() {
	pages := flag.String("pages", "", "folder for Markdown pages")
	man := flag.String("man", "", "folder for man pages")
	flag.Parse()
	if err := cli.WriteReference(*pages, *man); err != nil {
		fmt.Fprintln(os.Stderr, "write the reference:", err)
		os.Exit(1)
	}
}

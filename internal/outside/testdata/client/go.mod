// This module stands outside the library's, as any program of yours does. What the library
// itself requires is added by 'go mod tidy', or by the test that runs the program.
module example.org/client

go 1.26.0

require github.com/mllmrec/mllmrec v0.0.0

replace github.com/mllmrec/mllmrec => ../../../..

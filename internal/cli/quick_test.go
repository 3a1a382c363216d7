//go:build !slow

package cli

// slow is set by the build tag of that name; see slow_test.go.
const slow = false

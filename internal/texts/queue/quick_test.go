//go:build !slow

package queue_test

// slow is set by the build tag of that name; see slow_test.go.
const slow = false

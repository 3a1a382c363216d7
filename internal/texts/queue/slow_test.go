//go:build slow

package queue_test

// slow has tests of storms, kills and many workers run at full length.
const slow = true

//go:build slow

package cli

// slow has tests of storms, kills and many workers run at full length.
const slow = true

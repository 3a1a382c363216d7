//go:build unix

package plainfile

import "syscall"

// nonblock keeps an open of a named pipe, put there after we looked, from waiting.
const nonblock = syscall.O_NONBLOCK

// nofollow keeps an open for writing from going through a link put there meanwhile.
const nofollow = syscall.O_NOFOLLOW

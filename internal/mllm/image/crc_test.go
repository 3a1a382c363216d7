package image

import (
	"encoding/binary"
	"hash/crc32"
)

// crc is the checksum that ends a PNG chunk, over its type and content.
func crc(chunk []byte) []byte {
	return binary.BigEndian.AppendUint32(nil, crc32.ChecksumIEEE(chunk))
}

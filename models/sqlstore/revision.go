package sqlstore

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"
)

// nextRevision follows previous ("" for a new document) for the stored JSON:
// "3-<32 hex>". The hash covers sealed secrets, so it tells nothing of them.
func nextRevision(previous, stored string) string {
	number, _, _ := strings.Cut(previous, "-")
	n, _ := strconv.Atoi(number) // "" counts as 0
	sum := sha256.Sum256([]byte(previous + stored))
	return fmt.Sprintf("%d-%s", n+1, hex.EncodeToString(sum[:16]))
}

// Package nearest finds the word that somebody may have meant.
package nearest

// Of is the known word that is most like a word; "" when none is much like it.
func Of(word string, known []string) string {
	best, least := "", 2+len(word)/3
	for _, candidate := range known {
		if difference := len(candidate) - len(word); difference >= least || -difference >= least {
			continue
		}
		if d := distance(word, candidate); d < least {
			best, least = candidate, d
		}
	}
	return best
}

// Hint is what to say of an unknown word: "did you mean x?", "" when nothing
// is like it.
func Hint(word string, known []string) string {
	if best := Of(word, known); best != "" {
		return "did you mean " + best + "?"
	}
	return ""
}

// distance is the Levenshtein distance of two words, in bytes.
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			substitute := diagonal
			if a[i] != b[j] {
				substitute++
			}
			diagonal = row[j+1]
			row[j+1] = min(substitute, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}

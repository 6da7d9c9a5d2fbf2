package models

// A Listing names a part of a list of documents in the order of their ids.
// Keys are exclusive, so that a walk goes on right after documents were
// created or deleted in between.
type Listing struct {
	After      string // id beyond which the part starts; "" = at the list's start
	Descending bool   // from the highest id down
	Limit      int    // at most so many documents

	// Where says what the wanted documents have in common. The store uses
	// what it has an index for to leave others out; the rest of it, it may
	// ignore, so whoever asks must still look at what comes.
	Where []Match
}

// A Match is a member of a document and the text it must have.
type Match struct {
	Path string // dotted, "id" for the document's id
	Text string // never ""
}

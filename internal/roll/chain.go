package roll

// The rows of one user id are a chain in the order of the list: users knows the
// newest, and each row its neighbours.

// chain puts a row into the chain of its user id. Rows usually come in order,
// so its place is at the front.
func (r *Roll) chain(seq uint32) {
	b, i := r.at(seq)
	_, userID := b.text(i)
	hash := r.users.hash(string(userID))
	head, ok := r.users.find(hash, r.has(string(userID)))
	if !ok {
		b.rows[i].older, b.rows[i].newer = none, none
		r.users.add(hash, seq)
		return
	}
	newer, older := r.around(seq, uint32(*head), r.has(string(userID)))
	r.link(newer, seq)
	r.link(seq, older)
	if newer == none {
		*head = entry(hash, seq)
	}
}

// around finds the place of seq, which is not in it, in the chain with this
// head. It is looked for from the head down and, at the same pace, among the
// rows from seq up: a long chain is mostly dense, so one of the ways is short.
func (r *Roll) around(seq, head uint32, of func(seq uint32) bool) (newer, older uint32) {
	older = head
	for near := seq + 1; older > seq; near++ {
		if r.there(near) && of(near) {
			b, i := r.at(near)
			return near, b.rows[i].older
		}
		b, i := r.at(older)
		newer, older = older, b.rows[i].older
	}
	return newer, older
}

// there tells whether there is such a row.
func (r *Roll) there(seq uint32) bool {
	n := int(seq / blockRows)
	return n < len(r.blocks) && r.blocks[n] != nil && r.blocks[n].rows[seq%blockRows].flags != absent
}

// unchain takes a row out of the chain of its user id.
func (r *Roll) unchain(seq uint32) {
	b, i := r.at(seq)
	newer, older := b.rows[i].newer, b.rows[i].older
	r.link(newer, older)
	if newer != none {
		return
	}
	_, userID := b.text(i)
	hash := r.users.hash(string(userID))
	head, _ := r.users.find(hash, func(is uint32) bool { return is == seq })
	if older != none {
		*head = entry(hash, older)
	} else {
		*head = gone
	}
}

// link makes neighbours of two rows, either of which may be none.
func (r *Roll) link(newer, older uint32) {
	if newer != none {
		b, i := r.at(newer)
		b.rows[i].older = older
	}
	if older != none {
		b, i := r.at(older)
		b.rows[i].newer = newer
	}
}

// has tells of rows whether they have a user id.
func (r *Roll) has(userID string) func(seq uint32) bool {
	return func(seq uint32) bool {
		b, i := r.at(seq)
		_, has := b.text(i)
		return string(has) == userID
	}
}

// firstOf gives the newest row of a user id below a bound. A page token is
// where the last page ended, so the bound is a row of the chain itself unless
// its user id has changed since; only then is its place looked for.
func (r *Roll) firstOf(userID string, before uint32) (uint32, bool) {
	has := r.has(userID)
	if r.there(before) && has(before) {
		b, i := r.at(before)
		return b.rows[i].older, b.rows[i].older != none
	}
	head, ok := r.users.find(r.users.hash(userID), has)
	if !ok {
		return none, false
	}
	_, seq := r.around(before, uint32(*head), has)
	return seq, seq != none
}

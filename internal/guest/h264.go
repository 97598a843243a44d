package guest

import "slices"

// The H.264 of a guest: constrained baseline, key frames made of I_PCM
// macroblocks (raw samples, so no transform is needed), other frames made of
// one run of skipped macroblocks. Clauses are those of ITU-T H.264.

const macroblock = 16 // samples along each side

// h264Picture draws frames of a square picture with the given number of
// macroblocks along each side. Frames are Annex B access units.
type h264Picture struct {
	side     int
	frameNum uint // clause 7.4.3: frames since the key frame, modulo 16
	keys     uint
}

func (p *h264Picture) frame(n int, key bool) []byte {
	if key {
		p.frameNum = 0
		p.keys++
		return slices.Concat(annexB(0x67, p.sequence()), annexB(0x68, p.pictureSet()), annexB(0x65, p.keySlice(n)))
	}
	p.frameNum++
	return annexB(0x41, p.skipSlice())
}

// sequence is the sequence parameter set, clause 7.3.2.1.1: profile-level-id
// 42e01f, four bits of frame_num, output in decoding order.
func (p *h264Picture) sequence() []byte {
	var w bits
	w.put(8, 66)
	w.put(8, 0xe0)
	w.put(8, 31)
	w.ue(0)
	w.ue(0) // log2_max_frame_num - 4
	w.ue(2) // pic_order_cnt_type
	w.ue(1) // one reference frame
	w.put(1, 0)
	w.ue(uint(p.side - 1))
	w.ue(uint(p.side - 1))
	w.put(1, 1) // frames only
	w.put(1, 1) // direct_8x8_inference
	w.put(1, 0) // no cropping
	w.put(1, 0) // no VUI
	return w.finish()
}

// pictureSet is the picture parameter set, clause 7.3.2.2.
func (p *h264Picture) pictureSet() []byte {
	var w bits
	w.ue(0)
	w.ue(0)
	w.put(1, 0) // CAVLC
	w.put(1, 0)
	w.ue(0) // one slice group
	w.ue(0)
	w.ue(0)
	w.put(1, 0) // no weighted prediction
	w.put(2, 0)
	w.ue(0) // QP and its offsets: nothing is quantised
	w.ue(0)
	w.ue(0)
	w.put(1, 1) // deblocking control is in the slices
	w.put(1, 0)
	w.put(1, 0)
	return w.finish()
}

// keySlice is an IDR slice of the whole picture: a grid of grey, in which a
// coloured bar moves on with every key frame.
func (p *h264Picture) keySlice(n int) []byte {
	var w bits
	w.ue(0)
	w.ue(7) // I, all slices of the picture alike
	w.ue(0)
	w.put(4, 0)
	w.ue(p.keys % 2) // idr_pic_id differs between neighbours
	w.put(2, 0)
	w.ue(0)
	w.ue(1) // no deblocking
	for y := range p.side {
		for x := range p.side {
			w.ue(25) // I_PCM
			w.align()
			w.fill(macroblock*macroblock, byte(48+(x*7+y*11)%128))
			chroma := byte(128)
			if (n/framesPerKey)%p.side == x {
				chroma = 208
			}
			w.fill(64, chroma)
			w.fill(64, 256-128)
		}
	}
	return w.finish()
}

// skipSlice is a P slice that repeats the picture before.
func (p *h264Picture) skipSlice() []byte {
	var w bits
	w.ue(0)
	w.ue(5) // P, all slices of the picture alike
	w.ue(0)
	w.put(4, p.frameNum%16)
	w.put(1, 0) // default number of references
	w.put(1, 0) // in default order
	w.put(1, 0) // sliding window
	w.ue(0)
	w.ue(1) // no deblocking
	w.ue(uint(p.side * p.side))
	return w.finish()
}

// annexB writes one NAL unit with its start code and the emulation prevention
// of clause 7.4.1: 00 00 0x becomes 00 00 03 0x.
func annexB(header byte, payload []byte) []byte {
	out := []byte{0, 0, 0, 1, header}
	zeros := 0
	for _, b := range payload {
		if zeros == 2 && b <= 3 {
			out = append(out, 3)
			zeros = 0
		}
		out = append(out, b)
		if zeros++; b != 0 {
			zeros = 0
		}
	}
	return out
}

// bits writes a bit string, the most significant bit first.
type bits struct {
	out  []byte
	free uint // bits free in the last byte
}

func (w *bits) put(n, v uint) {
	for n > 0 {
		if w.free == 0 {
			w.out, w.free = append(w.out, 0), 8
		}
		n--
		w.free--
		w.out[len(w.out)-1] |= byte(v>>n&1) << w.free
	}
}

// ue writes an Exp-Golomb code, clause 9.1. A signed zero is the same code.
func (w *bits) ue(v uint) {
	length := uint(0)
	for (v+1)>>(length+1) > 0 {
		length++
	}
	w.put(length, 0)
	w.put(length+1, v+1)
}

func (w *bits) align() { w.free = 0 }

// fill writes n equal bytes at a byte boundary.
func (w *bits) fill(n int, b byte) {
	w.out = append(w.out, slices.Repeat([]byte{b}, n)...)
}

// finish closes the payload with its stop bit.
func (w *bits) finish() []byte {
	w.put(1, 1)
	return w.out
}

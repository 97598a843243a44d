package sfu

import "encoding/binary"

// picture is what an incoming video stream says about its pictures. Everything in it comes from
// strangers: what cannot be read changes nothing.
type picture struct {
	width, height int  // 0 while not known
	reorders      bool // a B slice came, or the stream reserves room for reordering
}

const (
	nalSlice  = 1
	maxHeader = 256 // bytes of a parameter set that are looked at
)

// read takes the payload of one RTP packet.
func (v *picture) read(mime string, payload []byte) {
	switch mime {
	case mimeH264:
		v.readH264(payload)
	case mimeVP8:
		if frame, ok := vp8Frame(payload); ok {
			v.readVP8(frame)
		}
	}
}

// readH264 takes the units of a packet apart (RFC 6184), or looks at the first part of one.
func (v *picture) readH264(p []byte) {
	if len(p) < 2 {
		return
	}
	switch p[0] & 0x1f {
	case nalSTAPA:
		for p = p[1:]; len(p) > 2; {
			size := min(int(binary.BigEndian.Uint16(p)), len(p)-2)
			v.unit(p[2:2+size], 0)
			p = p[2+size:]
		}
	case nalFUA:
		const start = 0x80
		if p[1]&start != 0 {
			v.unit(p[1:], p[1]&0x1f)
		}
	default:
		v.unit(p, 0)
	}
}

// unit reads what follows the first byte of a NAL unit; kind is the unit's if that byte does not tell.
func (v *picture) unit(p []byte, kind byte) {
	if len(p) < 2 {
		return
	}
	if kind == 0 {
		kind = p[0] & 0x1f
	}
	switch kind {
	case nalSlice:
		b := bits{bytes: p[1:min(len(p), 16)]}
		b.ue() // first_mb_in_slice
		const sliceB = 1
		if slice := b.ue(); !b.short && slice%5 == sliceB {
			v.reorders = true
		}
	case nalSPS:
		var clean [maxHeader]byte
		if s, ok := readSPS(unescape(clean[:0], p[1:])); ok {
			v.width, v.height = s.width, s.height
			v.reorders = v.reorders || s.reorders
		}
	}
}

// readVP8 takes the first bytes of a frame (RFC 6386, section 9.1).
func (v *picture) readVP8(frame []byte) {
	const interFrame = 0x01
	if len(frame) < 10 || frame[0]&interFrame != 0 || frame[3] != 0x9d || frame[4] != 0x01 || frame[5] != 0x2a {
		return
	}
	v.width = int(binary.LittleEndian.Uint16(frame[6:])) & 0x3fff
	v.height = int(binary.LittleEndian.Uint16(frame[8:])) & 0x3fff
}

// unescape appends p without its emulation prevention bytes (H.264, section 7.4.1.1), as far as there is room.
func unescape(out, p []byte) []byte {
	zeros := 0
	for _, b := range p {
		if zeros >= 2 && b == 3 {
			zeros = 0
			continue
		}
		if len(out) == cap(out) {
			break
		}
		if zeros++; b != 0 {
			zeros = 0
		}
		out = append(out, b)
	}
	return out
}

// readSPS reads a sequence parameter set (H.264, section 7.3.2.1.1): how large the pictures are, and whether they
// may be shown in another order than they are sent. What is asked of it stands before anything that could be cut off;
// the room for reordering counts only if it is there.
func readSPS(p []byte) (v picture, ok bool) {
	b := bits{bytes: p}
	profile := b.u(8)
	b.skip(16) // constraints, level
	b.ue()     // seq_parameter_set_id
	chroma, separate := uint32(1), false
	switch profile {
	case 100, 110, 122, 244, 44, 83, 86, 118, 128, 138, 139, 134, 135:
		chroma, separate = b.high()
	}
	b.ue() // log2_max_frame_num_minus4
	b.order()
	b.ue()    // max_num_ref_frames
	b.skip(1) // gaps_in_frame_num_value_allowed_flag
	wide, tall := b.ue()+1, b.ue()+1
	fields := uint32(2)
	if b.flag() {
		fields = 1
	} else {
		b.skip(1) // mb_adaptive_frame_field_flag
	}
	b.skip(1) // direct_8x8_inference_flag
	var crop [4]uint32
	if b.flag() {
		for i := range crop {
			crop[i] = b.ue()
		}
	}
	const most = 1 << 12 // macroblocks in a row, cropped pixels
	if b.short || wide > most || tall > most || max(crop[0], crop[1], crop[2], crop[3]) > 16*most {
		return picture{}, false
	}
	x, y := uint32(1), fields
	if chroma == 1 || chroma == 2 {
		x = 2
	}
	if chroma == 1 {
		y = 2 * fields
	}
	if chroma == 0 || separate {
		x, y = 1, fields
	}
	v.width = int(wide*16) - int(x*(crop[0]+crop[1]))
	v.height = int(tall*16*fields) - int(y*(crop[2]+crop[3]))
	v.reorders = b.flag() && b.usability()
	return v, v.width > 0 && v.height > 0
}

// high skips what the high profiles have more, and gives the chroma format.
func (b *bits) high() (chroma uint32, separate bool) {
	if chroma = b.ue(); chroma == 3 {
		separate = b.flag()
	}
	b.ue()    // bit_depth_luma_minus8
	b.ue()    // bit_depth_chroma_minus8
	b.skip(1) // qpprime_y_zero_transform_bypass_flag
	if !b.flag() {
		return chroma, separate
	}
	lists := 8
	if chroma == 3 {
		lists = 12
	}
	for i := range lists {
		if b.flag() {
			b.scaling(i)
		}
	}
	return chroma, separate
}

// scaling skips a scaling list (section 7.3.2.1.1.1).
func (b *bits) scaling(list int) {
	size, last, next := 16, int32(8), int32(8)
	if list >= 6 {
		size = 64
	}
	for range size {
		if next != 0 {
			next = (last + b.se() + 256) & 0xff
		}
		if next != 0 {
			last = next
		}
	}
}

// order skips how pictures are numbered.
func (b *bits) order() {
	switch b.ue() {
	case 0:
		b.ue() // log2_max_pic_order_cnt_lsb_minus4
	case 1:
		b.skip(1)
		b.ue()
		b.ue()
		for n := min(b.ue(), 255); n > 0; n-- {
			b.ue()
		}
	}
}

// usability reads the part of the usability information (annex E.1.1) that is asked for:
// whether decoders must put pictures in another order.
func (b *bits) usability() (reorders bool) {
	if b.flag() && b.u(8) == 255 { // aspect_ratio_idc: Extended_SAR
		b.skip(32)
	}
	if b.flag() { // overscan_info_present_flag
		b.skip(1)
	}
	if b.flag() { // video_signal_type_present_flag
		b.skip(4)
		if b.flag() {
			b.skip(24)
		}
	}
	if b.flag() { // chroma_loc_info_present_flag
		b.ue()
		b.ue()
	}
	if b.flag() { // timing_info_present_flag
		b.skip(65)
	}
	nal := b.buffering()
	if vcl := b.buffering(); nal || vcl {
		b.skip(1)
	}
	b.skip(1) // pic_struct_present_flag
	if !b.flag() {
		return false
	}
	b.skip(1)
	for range 4 {
		b.ue()
	}
	return b.ue() > 0 && !b.short // max_num_reorder_frames
}

// buffering skips the parameters of a hypothetical decoder (annex E.1.2), if they are there.
func (b *bits) buffering() bool {
	if !b.flag() {
		return false
	}
	n := min(b.ue(), 31) + 1
	b.skip(8)
	for range n {
		b.ue()
		b.ue()
		b.skip(1)
	}
	b.skip(20)
	return true
}

// bits reads bit by bit. Beyond the end there are zeros, and short is set.
type bits struct {
	bytes []byte
	at    int
	short bool
}

func (b *bits) skip(n int) { b.at += n }

func (b *bits) flag() bool { return b.u(1) == 1 }

func (b *bits) u(n int) (v uint32) {
	for range n {
		v <<= 1
		if b.at>>3 >= len(b.bytes) {
			b.short = true
			return v
		}
		v |= uint32(b.bytes[b.at>>3]>>(7-b.at&7)) & 1
		b.at++
	}
	return v
}

// ue reads an Exp-Golomb number (section 9.1).
func (b *bits) ue() uint32 {
	zeros := 0
	for b.u(1) == 0 {
		if zeros++; b.short || zeros > 31 {
			b.short = true
			return 0
		}
	}
	return 1<<zeros - 1 + b.u(zeros)
}

// se reads a signed one.
func (b *bits) se() int32 {
	n := b.ue()
	if n&1 == 1 {
		return int32(n/2 + 1)
	}
	return -int32(n / 2)
}

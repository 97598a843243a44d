// Package express answers plain requests without net/http's connection loop,
// which costs about as much as answering a page of the roll call does.
//
// A [Listener] stands between the network and an [http.Server]. It reads each
// connection itself for as long as every request on it is plain: POST to a path
// that it was told to take, HTTP/1.1, a small body of known length, and no header
// that means anything to HTTP but Host, Content-Length and a keep-alive.
// Such a request becomes an ordinary [http.Request] for the server's own handler,
// and its answer, the bytes that net/http would have sent (with a length where
// that might have cut it into chunks), leaves in one piece.
//
// At the first request that is anything else, however little, the connection and
// all bytes that were not answered yet go to the [http.Server] for good. So this
// package never says that a request is wrong, and there is nothing that it understands
// in another way than net/http: a fuzz test holds the two against each other.
//
// One thing is less than net/http does: the context of a request does not end
// when its sender goes away while it is answered.
package express

// Socket.IO as its manual shows it: a room per channel, WebSocket only, no deflate.
// A client enters the room named in its auth; the publisher asks for a room and gives the event.
import { createServer } from "node:http";
import { Server } from "socket.io";

const http = createServer();
const io = new Server(http, { transports: ["websocket"], serveClient: false });

io.on("connection", (socket) => {
  const { room, publishes } = socket.handshake.auth;
  if (room) socket.join(room);
  if (publishes) socket.on("publish", (to, event) => io.to(to).emit("event", event));
});

process.on("SIGUSR2", () => globalThis.gc?.());
http.listen({ port: 0, host: "127.0.0.1", backlog: 4096 }, () => console.log(http.address().port));

import "graphiql/setup-workers/vite";
import "graphiql/style.css";
import "./style.css";

import { StrictMode } from "react";
import { createRoot } from "react-dom/client";

import { Explorer } from "./explorer.jsx";

createRoot(document.getElementById("root")).render(
  <StrictMode>
    <Explorer />
  </StrictMode>,
);

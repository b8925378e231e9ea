// Serves page.html and what it needs, below a folder that holds node_modules.
const esbuild = require('esbuild');

const [folder] = process.argv.slice(2);

esbuild.context({
  entryPoints: [__dirname + '/main.jsx'],
  nodePaths: [folder + '/node_modules'],
  bundle: true,
  jsx: 'automatic',
  loader: { '.ttf': 'file', '.woff2': 'file' },
  define: { 'process.env': '{}', 'process.env.NODE_ENV': '"production"', global: 'globalThis' },
  outdir: folder,
}).then((context) => context.serve({ servedir: folder, host: '127.0.0.1', port: 10108 }));

// esbuild is a process of its own, which would outlive this one.
process.on('SIGTERM', () => {
  esbuild.stop();
  process.exit();
});
